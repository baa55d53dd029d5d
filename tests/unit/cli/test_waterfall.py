"""A trace as text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from partisan_actors.cli.waterfall import milliseconds, waterfall
from partisan_actors.telemetry.plain_span import PlainSpan
from tests.plain_spans import EPOCH_NS, forests, span_of, spans_of_the_story

MS = 1_000_000


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [(1_234, "0.001"), (9_999_000, "9.999"), (12_340_000, "12.3"), (2 * 10**12, "2,000,000.0")],
)
def test_a_duration_has_as_many_digits_as_say_something(nanoseconds: int, expected: str) -> None:
    assert milliseconds(nanoseconds) == expected


def test_children_stand_below_their_parents_with_bars_of_when_they_ran() -> None:
    trace = [
        span_of(1, name="Shop/buy", kind="client", start_ns=EPOCH_NS, end_ns=EPOCH_NS + 32 * MS),
        span_of(2, name="Shop/buy", parent_id=f"{1:016x}", start_ns=EPOCH_NS + 8 * MS, end_ns=EPOCH_NS + 16 * MS),
        span_of(3, name="send Log", parent_id=f"{2:016x}", start_ns=EPOCH_NS + 9 * MS, end_ns=EPOCH_NS + 9 * MS,
                status="error"),
    ]  # fmt: skip

    lines = list(waterfall(trace))

    assert lines[0] == f"trace {trace[0]['trace_id']}: 32.0 ms, 3 spans on ada, 1 failed"
    assert lines[1:] == [
        "  Shop/buy      client    ada      0.000 +     32.0  |================================|",
        "    Shop/buy    server    ada      8.000 +    8.000  |        =========               |",
        "!     send Log  server    ada      9.000 +    0.000  |         =                      |",
    ]


def test_attributes_events_and_links_are_shown_on_request_but_no_stack_trace() -> None:
    event = {"name": "exception", "time_ns": EPOCH_NS + MS, "attributes": {"exception.stacktrace": "long", "a": 1}}
    link = {"trace_id": "a" * 32, "span_id": "b" * 16, "attributes": {}}
    span = span_of(1, attributes={"text": "two\nlines" + "x" * 500}, events=[event], links=[link])

    lines = list(waterfall([span], with_attributes=True))[2:]

    assert lines[0].startswith("    text = two lines") and lines[0].endswith("x...")
    assert lines[1:] == ["    exception at +0.000  a = 1", f"    linked to {'a' * 32} {'b' * 16}"]


def test_a_parent_that_is_not_here_is_said() -> None:
    assert "1 with a parent that is not here" in next(waterfall([span_of(1, parent_id="f" * 16)]))


@settings(max_examples=20)
@given(forests())
def test_every_span_has_one_line_whatever_the_parents_are(spans: list[PlainSpan]) -> None:
    assert len([line for line in waterfall(spans) if line.endswith("|")]) == len(spans)


def test_the_story_is_drawn() -> None:
    assert len(list(waterfall(spans_of_the_story()))) == 1 + len(spans_of_the_story())


@pytest.mark.parametrize("line_chars", [80, 100, 120])
def test_at_a_terminal_a_line_is_as_long_as_that_is_wide(line_chars: int) -> None:
    lines = [line for line in waterfall([span_of(1)], line_chars=line_chars) if line.endswith("|")]

    assert [len(line) for line in lines] == [line_chars]
