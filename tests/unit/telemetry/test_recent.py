"""The last spans of a node: what is kept, what is forgotten, and what reading it gives."""

from __future__ import annotations

import threading

from partisan_actors.errors import TaskFailed
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.recent import RecentSpans
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished, AskServed
from partisan_actors.telemetry.wall_clock import WallClock
from tests.plain_spans import spans_of_the_story


def recent(spans_max: int = 100, bytes_max: int = 1_000_000) -> tuple[RecentSpans, Recorder]:
    recorder = Recorder(enabled=True)
    return RecentSpans(
        WallClock(recorder.clock, recorder.wall_clock), spans_max=spans_max, bytes_max=bytes_max
    ), recorder


def ask(recorder: Recorder, method: str, failure: Failure | None = None) -> AskFinished:
    return AskFinished(recorder.begin(), recorder.clock(), recorder.clock(), "actor:1", "Bank", method, failure)


def names(kept: RecentSpans) -> list[str]:
    return [span["name"] for entry in kept.newest_first() for span in entry.spans()]


def test_the_newest_come_first() -> None:
    kept, recorder = recent()

    for method in ("first", "second"):
        kept.add_records([ask(recorder, method)])

    assert names(kept) == ["Bank/second", "Bank/first"]
    assert (kept.count, kept.forgotten) == (2, 0)


def test_beyond_the_number_the_oldest_is_forgotten_and_counted() -> None:
    kept, recorder = recent(spans_max=2)

    for method in ("first", "second", "third"):
        kept.add_records([ask(recorder, method)])

    assert names(kept) == ["Bank/third", "Bank/second"]
    assert kept.forgotten == 1


def test_long_stack_traces_leave_room_for_fewer() -> None:
    kept, recorder = recent(bytes_max=20_000)
    failure = Failure.of_call(TaskFailed.of(ValueError("no"), "Bank/pay", "x" * 8_000))

    for number in range(5):
        kept.add_records([ask(recorder, f"m{number}", failure)])

    assert names(kept) == ["Bank/m4", "Bank/m3"]
    assert kept.forgotten == 3


def test_one_that_is_larger_than_all_there_may_be_is_kept_alone() -> None:
    kept, recorder = recent(bytes_max=10)

    kept.add_records([ask(recorder, "first")])
    kept.add_records([ask(recorder, "second")])

    assert names(kept) == ["Bank/second"]


def test_the_names_are_those_of_the_spans() -> None:
    kept, recorder = recent()
    kept.add_records([ask(recorder, "pay")])
    context = recorder.begin()
    kept.add_records([AskServed(context, 0, 5_000_000, 6_000_000, "actor:1", "Bank", "wait")])

    for entry in kept.newest_first():
        assert list(entry.names()) == [(span["name"], span["kind"]) for span in entry.spans()]


def test_reading_twice_gives_the_same_spans() -> None:
    kept, recorder = recent()
    kept.add_records([AskServed(recorder.begin(), 0, 5_000_000, 6_000_000, "actor:1", "Bank", "wait")])

    (entry,) = kept.newest_first()

    assert list(entry.spans()) == list(entry.spans())


def test_spans_are_plain_and_name_their_trace_parent_and_sender() -> None:
    spans = {(span["name"], span["kind"]): span for span in spans_of_the_story()}
    client, server = spans["Bank/pay", "client"], spans["Bank/pay", "server"]

    assert server["parent_id"] == client["span_id"] and client["parent_id"] is None
    assert server["trace_id"] == client["trace_id"] and len(client["trace_id"]) == 32
    assert client["resource"]["partisan.node.name"] == "ada"
    assert server["scope"] == "partisan_actors.calls"
    failed = [span for span in spans_of_the_story() if span["status"] == "error"]
    assert {span["events"][-1]["name"] for span in failed} == {"exception"}


def test_writers_on_several_threads_lose_nothing() -> None:
    kept, recorder = recent(spans_max=10_000, bytes_max=100_000_000)

    def write() -> None:
        for _ in range(500):
            kept.add_records([ask(recorder, "pay")])

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for _ in range(20):
        kept.newest_first()
    for writer in writers:
        writer.join()

    assert len(names(kept)) == kept.count == 2_000
