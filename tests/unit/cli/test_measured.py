"""Tests of figures of several nodes, put together for tables."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.api.observer import Answer
from partisan_actors.cli.channels import by_channel
from partisan_actors.cli.measured import bytes_text, method_rows, ordered, seconds_text, since, with_quantiles
from partisan_actors.telemetry.histogram import Histogram

MILLISECOND_NS = 1_000_000


def row(calls: int, run_ms: float = 1.0, *, method: str = "m", errors: int = 0, in_flight: int = 0) -> dict[str, Any]:
    """As a node would tell it that has run so many calls, of so many milliseconds each."""
    run, wait = Histogram(), Histogram()
    run.observe(round(run_ms * MILLISECOND_NS), calls)
    wait.observe(0, calls)
    counts = {"calls": calls, "errors": errors, "in_flight": in_flight}
    return {"class": "A", "method": method, "kind": "ask", **counts, "wait": wait.plain(), "run": run.plain()}


def answer(name: str, *rows: dict[str, Any]) -> Answer:
    return Answer({"name": name}, list(rows))


def test_rows_of_nodes_add_up() -> None:
    (one,) = method_rows([answer("b", row(3, errors=1)), answer("a", row(4, in_flight=2))])

    assert (one["calls"], one["errors"], one["in_flight"], one["nodes"]) == (7, 1, 2, ["a", "b"])
    assert one["run"]["count"] == 7


def test_methods_of_the_same_name_stay_apart() -> None:
    told = row(1) | {"kind": "tell"}

    assert len(method_rows([answer("a", row(1), told, row(1, method="n"))])) == 3


def test_quantiles_take_the_place_of_histograms() -> None:
    told = with_quantiles(row(100, run_ms=20))

    assert 0.01 <= told["run_p50_s"] <= told["run_p95_s"] <= told["run_p99_s"] <= 0.025
    assert "run" not in told and "wait" not in told
    assert with_quantiles(row(0))["run_p99_s"] is None


def test_what_happened_since_is_what_was_counted_later() -> None:
    before, now = row(100, run_ms=1), row(100, run_ms=1)
    later = Histogram()
    later.observe(400 * MILLISECOND_NS, 10)
    now["run"]["buckets"] = [a + b for a, b in zip(now["run"]["buckets"], later.buckets, strict=True)]
    now |= {"calls": 110, "errors": 4}

    (found,) = since([before], [now], 2.0)

    assert (found["calls"], found["calls_per_s"], found["errors_per_s"]) == (10, 5.0, 2.0)
    assert with_quantiles(found)["run_p50_s"] > 0.25


def test_a_method_that_was_not_called_before_counts_in_whole() -> None:
    (found,) = since([], [row(8)], 2.0)

    assert (found["calls"], found["calls_per_s"]) == (8, 4.0)


def test_counters_that_have_begun_anew_are_never_negative() -> None:
    (found,) = since([row(100)], [row(5)], 1.0)

    assert (found["calls"], found["calls_per_s"], found["run"]["count"]) == (5, 5.0, 5)


def test_the_most_comes_first_and_texts_come_from_a() -> None:
    rows = [{"name": "b", "n": 1}, {"name": "a", "n": None}, {"name": "c", "n": 1}, {"name": "d", "n": 9}]

    assert [each["name"] for each in ordered(rows, "n", names=("name",))] == ["d", "b", "c", "a"]
    assert [each["name"] for each in ordered(rows, "name", names=("name",))] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.0, "0 us"), (0.000_025, "25 us"), (0.001_234, "1.23 ms"), (0.25, "250 ms"), (61.0, "61 s")],
)
def test_durations_are_told_in_the_unit_that_fits(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 30, "1 GiB")])
def test_sizes_are_told_in_the_unit_that_fits(size: int, text: str) -> None:
    assert bytes_text(size) == text


def test_channels_add_up_over_peers_but_the_longest_wait_is_one() -> None:
    counts = dict.fromkeys(
        (
            *("lanes", "queued_messages", "queued_bytes", "sent_messages", "sent_bytes"),
            *("received_messages", "received_bytes", "reconnects"),
        ),
        2,
    )
    rows = [{"node": "a", "channel": "calls", "peer": peer, **counts, "oldest_wait_s": wait} for peer, wait in
            (("b", 0.5), ("c", 3.0))]  # fmt: skip

    (one,) = by_channel(rows)

    assert (one["peer"], one["lanes"], one["sent_bytes"], one["oldest_wait_s"]) == (2, 4, 4, 3.0)
