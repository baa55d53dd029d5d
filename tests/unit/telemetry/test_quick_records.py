"""Records in the short form: what they stand for, and that Python's collector has nothing to do with them."""

from __future__ import annotations

import gc

from partisan_actors.telemetry.quick_records import asked_site, in_full, served_site
from partisan_actors.telemetry.recent import RecentSpans
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished, AskServed
from partisan_actors.telemetry.spans import spans_of
from partisan_actors.telemetry.wall_clock import WallClock


class Bank: ...


ASKED = asked_site("b~1:7", "Bank", "pay", "calls", 0, "b~1", ("host", 9), ("127.0.0.1", 8), "till")
SERVED = served_site("b~1:7", "Bank", "pay", "calls", Bank, "till")


def test_an_ask_says_what_the_long_form_would() -> None:
    context = Recorder(enabled=True).begin()

    found = in_full((*context, ASKED, 10, 3, 50))

    ends = ("host", 9), ("127.0.0.1", 8)
    assert found == AskFinished(
        context, 10, 50, "b~1:7", "Bank", "pay", None, "calls", 0, "b~1", 1, *ends, message_id=3, name="till"
    )


def test_an_answer_says_what_the_long_form_would() -> None:
    context = Recorder(enabled=True).begin()

    found = in_full((*context, SERVED, 10, 3, "a~1", 50))

    long = AskServed(
        context, 10, 10, 50, "b~1:7", "Bank", "pay", None, "calls", 0, "a~1", function=Bank, message_id=3, name="till"
    )
    assert found._replace(function=long.function) == long  # type: ignore[call-arg]  # it is an AskServed
    assert spans_of(found) == spans_of(long)


def test_what_is_long_already_stays_as_it_is() -> None:
    record = AskFinished(Recorder(enabled=True).begin(), 1, 2, "b~1:7", "Bank", "pay")

    assert in_full(record) is record


def test_pythons_collector_lets_go_of_them() -> None:
    recorder = Recorder(enabled=True)
    for number in range(10):
        recorder.record_quick((*recorder.begin(), ASKED, number, number, number + 1))

    gc.collect()

    kept = recorder.take_as_kept(10)
    assert len(kept) == 10 and not any(map(gc.is_tracked, kept))


def test_more_than_there_is_room_for_are_dropped_and_counted() -> None:
    recorder = Recorder(enabled=True, records_max=2)

    for number in range(5):
        recorder.record_quick((*recorder.begin(), ASKED, number, number, number + 1))

    assert (recorder.waiting, recorder.dropped) == (2, 3)
    assert all(isinstance(record, AskFinished) for record in recorder.take(9))


def test_a_nodes_recent_spans_read_them_as_any_other() -> None:
    recorder = Recorder(enabled=True)
    recent = RecentSpans(WallClock(recorder.clock, recorder.wall_clock), spans_max=2)
    for _ in range(3):
        recent.add_records([(*recorder.begin(), ASKED, 1, 3, 50), (*recorder.begin(), SERVED, 1, 3, "a~1", 50)])

    served, asked = recent.newest_first()

    assert (recent.count, recent.forgotten) == (2, 4)
    assert [*served.names(), *asked.names()] == [("Bank/pay", "server"), ("Bank/pay", "client")]
    (span,) = served.spans()
    assert span["attributes"]["code.function.name"] == f"{Bank.__module__}.Bank.pay"
