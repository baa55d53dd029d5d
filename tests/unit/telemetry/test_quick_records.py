"""Records in the short form: what they stand for, and that Python's collector has nothing to do with them."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from partisan_actors.telemetry import events
from partisan_actors.telemetry.context import SAMPLED, TraceContext
from partisan_actors.telemetry.quick_records import (
    AskedSite,
    QuickEntry,
    ServedSite,
    context_of,
    entries_of,
    in_full,
    is_quick_wire,
)
from partisan_actors.telemetry.recent import RecentSpans
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished, AskServed
from partisan_actors.telemetry.spans import spans_of
from partisan_actors.telemetry.wall_clock import WallClock


class Bank: ...


ASKED = AskedSite("b~1:7", "Bank", "pay", "calls", 0, "b~1", ("host", 9), ("127.0.0.1", 8), "till")
SERVED = ServedSite("b~1:7", "Bank", "pay", "calls", "a~1", f"{__name__}.Bank.pay", "till")


def asked(recorder: Recorder, number: int = 3) -> None:
    recorder.record_quick(ASKED, recorder.begin().pack(), 0, 10, 50, number)


def served(recorder: Recorder, number: int = 3) -> None:
    recorder.record_quick(SERVED, recorder.begin().pack(), recorder.new_span_id(), 10, 50, number)


def test_an_ask_says_what_the_long_form_would() -> None:
    context = Recorder(enabled=True).begin()._replace(parent_span_id=9)

    found = in_full(QuickEntry(ASKED, context.pack(), 9, 10, 50, 3))

    ends = ("host", 9), ("127.0.0.1", 8)
    assert found == AskFinished(
        context, 10, 50, "b~1:7", "Bank", "pay", None, "calls", 0, "b~1", 1, *ends, message_id=3, name="till"
    )


def test_an_answer_says_what_the_long_form_would() -> None:
    recorder = Recorder(enabled=True)
    parent = recorder.begin()
    context = recorder.child_of(parent)

    found = in_full(QuickEntry(SERVED, parent.pack(), context.span_id, 10, 50, 3))

    long = AskServed(
        context, 10, 10, 50, "b~1:7", "Bank", "pay", None, "calls", 0, "a~1", function=Bank, message_id=3, name="till"
    )
    assert found._replace(function=Bank) == long  # type: ignore[call-arg]  # it is an AskServed
    assert spans_of(found) == spans_of(long)


def test_what_is_long_already_stays_as_it_is() -> None:
    record = AskFinished(Recorder(enabled=True).begin(), 1, 2, "b~1:7", "Bank", "pay")

    assert in_full(record) is record


@pytest.mark.parametrize(
    "context",
    [TraceContext(1, 2, 0), TraceContext(1, 2, SAMPLED, trace_state="a=b")],
    ids=["not sampled", "with a state"],
)
def test_only_a_sampled_context_without_a_state_is_quick(context: TraceContext) -> None:
    quick = TraceContext(2**128 - 1, 2**64 - 1, 0xFF)

    assert is_quick_wire(quick.pack()) and context_of(quick.pack()) == quick
    assert not is_quick_wire(context.pack())
    assert not is_quick_wire(b"\xff" + quick.pack()[1:]) and not is_quick_wire(b"")


def test_both_forms_keep_their_places() -> None:
    recorder = Recorder(enabled=True)
    asked(recorder, 1)
    recorder.record(AskFinished(recorder.begin(), 1, 2, "b~1:7", "Bank", "pay", message_id=2))
    served(recorder, 3)

    records = recorder.take_flat(10)

    numbers = [in_full(entry).message_id for entry in entries_of(records)]  # type: ignore[union-attr]  # they are asks
    backwards = [in_full(entry).message_id for entry in entries_of(records, newest_first=True)]  # type: ignore[union-attr]  # the same
    assert numbers == [1, 2, 3] and backwards == [3, 2, 1]


@pytest.mark.parametrize(("trace_id", "span_id"), [(0, 5), (5, 0)])
def test_one_whose_sender_gave_it_no_trace_or_no_span_is_left_out(trace_id: int, span_id: int) -> None:
    recorder = Recorder(enabled=True)

    recorder.record_quick(SERVED, TraceContext(trace_id, span_id, SAMPLED).pack(), 7, 10, 50, 1)
    asked(recorder, 2)

    (record,) = recorder.take(10)
    assert isinstance(record, AskFinished)


def test_pythons_collector_has_nothing_of_them_to_look_at() -> None:
    recorder = Recorder(enabled=True)
    gc.collect()
    before = len(gc.get_objects())

    for number in range(1_000):
        asked(recorder, number)
        served(recorder, number)

    assert recorder.waiting == 2_000 and len(gc.get_objects()) < before + 100


def test_more_than_there_is_room_for_are_dropped_and_counted() -> None:
    recorder = Recorder(enabled=True, records_max=2)

    for number in range(5):
        asked(recorder, number)

    assert (recorder.waiting, recorder.dropped) == (2, 3)
    assert all(isinstance(record, AskFinished) for record in recorder.take(9))


def test_other_threads_records_come_between_them_and_never_inside() -> None:
    recorder = Recorder(enabled=True)
    record = AskFinished(recorder.begin(), 1, 2, "b~1:7", "Bank", "pay")
    writers = [threading.Thread(target=lambda: [recorder.record(record) for _ in range(2_000)]) for _ in range(2)]

    taken: list[Any] = []
    for writer in writers:
        writer.start()
    for number in range(2_000):
        asked(recorder, number)
        taken += recorder.take(64)
    for writer in writers:
        writer.join()
    taken += recorder.take(10_000)

    assert len(taken) == 6_000 and all(type(each) is AskFinished for each in taken)
    assert [each.message_id for each in taken if each is not record] == list(range(2_000))


def test_a_nodes_recent_spans_read_them_as_any_other() -> None:
    recorder = Recorder(enabled=True)
    recent = RecentSpans(WallClock(recorder.clock, recorder.wall_clock), spans_max=2)
    for _ in range(3):
        asked(recorder)
        served(recorder)
        recent.add_flat(recorder.take_flat(10))

    newest, older = recent.newest_first()

    assert (recent.count, recent.forgotten) == (2, 4)
    assert [*newest.names(), *older.names()] == [("Bank/pay", "server"), ("Bank/pay", "client")]
    (span,) = newest.spans()
    assert span["attributes"]["code.function.name"] == f"{Bank.__module__}.Bank.pay"


def test_of_a_long_list_the_newest_are_kept_one_by_one() -> None:
    recorder = Recorder(enabled=True)
    recent = RecentSpans(WallClock(recorder.clock, recorder.wall_clock), spans_max=5)
    for number in range(4):
        asked(recorder, number)
    recent.add_flat(recorder.take_flat(10))
    for number in range(4, 7):
        asked(recorder, number)
    recent.add_flat(recorder.take_flat(10))

    numbers = [span["attributes"][events.MESSAGE_ID] for kept in recent.newest_first() for span in kept.spans()]

    assert numbers == ["6", "5", "4", "3", "2"] and (recent.count, recent.forgotten) == (5, 2)
