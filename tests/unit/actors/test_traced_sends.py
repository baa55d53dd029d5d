"""The spans of tells that have to wait until their connection can be written to."""

from __future__ import annotations

import asyncio
from threading import get_ident
from types import SimpleNamespace
from typing import Any

from partisan_actors.actors.ref import Location
from partisan_actors.actors.traced_sends import TellTrace
from partisan_actors.errors import ActorStopped
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import Record
from partisan_actors.telemetry.spans import spans_of
from partisan_actors.wire.channels import CALLS

THERE = NodeId("b", 1)


class Line:
    """A connection."""

    def __init__(self) -> None:
        self.is_paused = True
        self.written = asyncio.get_running_loop().create_future()

    def goes_on(self) -> asyncio.Future[None]:
        return self.written


class Told:
    """A node that tells an actor something, on a connection that takes no more."""

    def __init__(self) -> None:
        self.now_ns = 1_000
        self.line = Line()
        self.recorder = Recorder(enabled=True, clock=lambda: self.now_ns)
        self.posted: list[tuple[Any, ...]] = []
        self.host: Any = SimpleNamespace(
            recorder=self.recorder,
            node=SimpleNamespace(lanes={CALLS: 1}),
            thread_id=get_ident(),
            post=lambda *call: self.posted.append(call),
        )
        location = Location(ActorId(THERE, 7), "Log", None, can_restart=False)
        location.peer = SimpleNamespace(node=THERE, is_self=False, lanes={CALLS: [self.line]})  # type: ignore[assignment]  # stands for one
        self.trace = TellTrace(self.host, self.recorder.begin(), location, "write", CALLS, 1)

    def records(self) -> list[Record]:
        return self.recorder.take(10)


def wait_in(records: list[Record]) -> object:
    (record,) = records
    (span,) = spans_of(record)
    assert span.name == "send Log" and span.ended_ns == 1_000
    return span.attributes.get("partisan.channel.queue.wait")


async def test_a_tell_that_waits_for_its_connection_says_how_long_once_it_is_written() -> None:
    told = Told()

    told.trace.sent()
    assert told.records() == []
    told.now_ns += 5_000_000
    told.line.written.set_result(None)
    await asyncio.sleep(0)

    assert wait_in(told.records()) == 0.005


async def test_one_from_another_thread_looks_on_the_loop_whether_it_still_waits() -> None:
    told = Told()
    told.host.thread_id = -1

    told.trace.sent()
    told.line.is_paused = False
    ((look, *how),) = told.posted
    look(*how)

    assert wait_in(told.records()) is None


async def test_one_that_need_not_wait_or_cannot_be_sent_is_written_down_at_once() -> None:
    told, refused = Told(), Told()
    told.line.is_paused = False

    told.trace.sent()
    refused.trace.sent(ActorStopped("Log", "it ended"))

    assert wait_in(told.records()) is None
    assert [span.failure is not None for record in refused.records() for span in spans_of(record)] == [True]
