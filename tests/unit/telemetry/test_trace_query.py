"""What one may ask of traces, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.trace_query import LIMIT_MAX, TraceQuery, duration_ns, tags_of
from tests.plain_spans import span_of

FAILED = span_of(
    2,
    status="error",
    attributes={"partisan.attempt": 3, "partisan.call.kind": "ask", "partisan.execute.duration": 0.25, "cached": True},
    events=[{"name": "exception", "time_ns": 5, "attributes": {"exception.type": "KeyError"}}],
)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"service": "shop"},
        {"operation": "Bank/pay"},
        {"start_ns": FAILED["start_ns"], "end_ns": FAILED["start_ns"]},
        {"min_duration_ns": 500_000, "max_duration_ns": 500_000},
        {"tags": {"partisan.attempt": "3", "partisan.call.kind": "ask"}},
        {"tags": {"cached": "true", "partisan.execute.duration": "0.25"}},
        {"tags": {"error": "true", "span.kind": "server", "otel.status_code": "ERROR"}},
        {"tags": {"exception.type": "KeyError"}},
        {"tags": {"partisan.node.name": "ada", "process.pid": "7"}},
    ],
)
def test_a_span_that_is_all_that_is_asked_for_is_found(asked: dict[str, Any]) -> None:
    assert TraceQuery(**asked).matches(FAILED)


@pytest.mark.parametrize(
    "asked",
    [
        {"service": "bank"},
        {"operation": "Bank"},
        {"start_ns": FAILED["start_ns"] + 1},
        {"end_ns": FAILED["start_ns"] - 1},
        {"min_duration_ns": 500_001},
        {"max_duration_ns": 499_999},
        {"tags": {"partisan.attempt": "3", "partisan.call.kind": "tell"}},
        {"tags": {"error": "false"}},
        {"tags": {"not.there": ""}},
    ],
)
def test_one_that_lacks_a_part_of_it_is_not(asked: dict[str, Any]) -> None:
    assert not TraceQuery(**asked).matches(FAILED)


def test_a_query_travels_as_it_is() -> None:
    query = TraceQuery("shop", "Bank/pay", {"error": "true"}, 1, 2, 3, 4, 5)

    assert TraceQuery.of_plain(query.plain()) == query


@pytest.mark.parametrize(
    ("plain", "named"),
    [
        (None, "query"),
        ({"servce": "shop"}, "servce"),
        ({"service": 7}, "service"),
        ({"operation": "x" * 5_000}, "operation"),
        ({"tags": ["a"]}, "tags"),
        ({"tags": {"a": 1}}, "tags"),
        ({"tags": {str(number): "" for number in range(60)}}, "tags"),
        ({"start_ns": "yesterday"}, "start_ns"),
        ({"end_ns": -1}, "end_ns"),
        ({"min_duration_ns": True}, "min_duration_ns"),
        ({"max_duration_ns": 1 << 64}, "max_duration_ns"),
        ({"limit": 0}, "limit"),
        ({"limit": LIMIT_MAX + 1}, "limit"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(plain: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        TraceQuery.of_plain(plain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.5ms", 1_500_000), ("100us", 100_000), ("7µs", 7_000), (" 2s ", 2 * 10**9), ("1m30s", 90 * 10**9), ("3ns", 3)],
)
def test_durations_are_read_as_people_write_them(text: str, expected: int) -> None:
    assert duration_ns(text) == expected


@pytest.mark.parametrize("text", ["", "5", "ms", "1 ms", "-1s", "1s!", "1e3s", "9" * 50 + "s", "infs"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"such as 1\.5ms"):
        duration_ns(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ('{"error": "true", "http.status_code": 500, "cached": false}',
         {"error": "true", "http.status_code": "500", "cached": "false"}),
        ('error=true http.method="GET it" empty=', {"error": "true", "http.method": "GET it", "empty": ""}),
    ],
)  # fmt: skip  # one case a line
def test_tags_are_json_or_pairs(text: str, expected: dict[str, str]) -> None:
    assert tags_of(text) == expected


@pytest.mark.parametrize("text", ["{", "{" * 10_000, "error", "a=b=c d", "=x", 'a="b'])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="tags"):
        tags_of(text)
