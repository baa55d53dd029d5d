"""Byte streams in virtual time: in order or broken, whatever the network does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import LATEST_S, Cut, Delay, Hold, Loss
from partisan_actors.faults.rules import Rule
from partisan_actors.faults.selectors import ANYBODY, Group
from partisan_actors.simulation.loop import Loops, NothingWillHappen
from partisan_actors.simulation.network import constant_latency
from partisan_actors.simulation.wires import WINDOW_BYTES, Door, Wires

LATENCY_S = 0.01


class End(asyncio.BufferedProtocol):
    """One end, which writes down what happens to it."""

    def __init__(self, loops: Loops) -> None:
        self._loops = loops
        self.buffer = bytearray(7)
        self.received = bytearray()
        self.when: list[float] = []
        self.lost: list[tuple[BaseException | None, float]] = []
        self.pauses = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self.buffer[:nbytes]
        self.when.append(self._loops.time.now_s)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost.append((exc, self._loops.time.now_s))

    def pause_writing(self) -> None:
        self.pauses += 1

    def resume_writing(self) -> None:
        self.pauses -= 1


class Pair:
    """Nodes "a" and "b", of which "a" has dialled."""

    def __init__(self) -> None:
        self.loops = Loops()
        self.wires = Wires(1, constant_latency(LATENCY_S))
        self.loop = self.loops.make("a")
        self.a, self.b = End(self.loops), End(self.loops)
        self.theirs = self.loops.make("b")
        self.door = Door(self.wires, "b", self.theirs)
        self.loops.run(self.theirs, self.door.listen("b:1", lambda: self.b), 1.0)

    def dial(self, within_s: float = 10.0) -> None:
        door = Door(self.wires, "a", self.loop)
        self.loops.run(self.loop, door.dial("b:1", lambda: self.a), within_s)
        self.loops.run_for(0.0)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.a.transport.write(piece)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.loops.close()


def test_bytes_arrive_in_order_after_the_latency(pair: Pair) -> None:
    pair.dial()
    sent_s = pair.loops.time.now_s

    pair.send(b"one ", b"two ", b"a longer third one")
    pair.loops.run_for(1.0)

    assert pair.b.received == b"one two a longer third one"
    assert pair.b.when == pytest.approx([sent_s + LATENCY_S] * len(pair.b.when))


def test_what_is_lost_comes_late_and_holds_up_what_is_behind_it(pair: Pair) -> None:
    pair.dial()
    rule = Rule(Loss(0.0, LATEST_S, 0.5), ANYBODY, ANYBODY)
    pair.wires.impose(rule)

    pair.send(*[bytes([number]) for number in range(50)])
    pair.loops.run_for(120.0)

    assert pair.b.received == bytes(range(50))
    assert pair.b.when[-1] > 0.2
    assert pair.b.when == sorted(pair.b.when)


def test_delays_add_to_the_latency(pair: Pair) -> None:
    pair.dial()
    pair.wires.impose(Rule(Delay(0.0, LATEST_S, 2.0), ANYBODY, ANYBODY))
    sent_s = pair.loops.time.now_s

    pair.send(b"x")
    pair.loops.run_for(10.0)

    assert pair.b.when == pytest.approx([sent_s + LATENCY_S + 2.0])


@pytest.mark.parametrize("operation", [Cut(0.0, LATEST_S, ("a",)), Hold(0.0, LATEST_S, ("a",))])
def test_through_a_cut_nothing_passes_and_nobody_is_told_until_it_heals(pair: Pair, operation: Cut | Hold) -> None:
    pair.dial()
    rule = Rule(operation, Group(frozenset({"a"})), ANYBODY)
    pair.wires.impose(rule)

    pair.send(b"one", b"two")
    pair.loops.run_for(1000.0)
    assert (pair.b.received, pair.a.lost, pair.b.lost) == (b"", [], [])
    pair.wires.lift(rule)
    pair.loops.run_for(1.0)

    assert pair.b.received == b"onetwo"


def test_who_dials_through_a_cut_waits_for_its_end(pair: Pair) -> None:
    rule = Rule(Cut(0.0, LATEST_S, ("b",)), Group(frozenset({"b"})), ANYBODY)
    pair.wires.impose(rule)
    with pytest.raises(NothingWillHappen):
        pair.dial(5.0)
    pair.loops.make("world").call_later(3.0, pair.wires.lift, rule)

    pair.dial(5.0)

    assert pair.a.transport


def test_who_dials_where_nobody_listens_is_refused(pair: Pair) -> None:
    pair.loops.run(pair.theirs, pair.door.close(), 1.0)

    with pytest.raises(ConnectionRefusedError, match="b:1"):
        pair.dial()


def test_an_address_is_bound_once(pair: Pair) -> None:
    other = Door(pair.wires, "c", pair.loop)

    with pytest.raises(ConfigError, match="in use"):
        pair.loops.run(pair.loop, other.listen("b:1", lambda: pair.a), 1.0)
    assert pair.loops.run(pair.loop, other.listen("c:0", lambda: pair.a), 1.0) == "c:1"


def test_the_end_of_a_process_is_told_to_its_peers_after_a_latency(pair: Pair) -> None:
    pair.dial()
    crashed_s = pair.loops.time.now_s

    pair.loops.abandon(pair.theirs)
    pair.wires.crash("b")
    pair.loops.run_for(1.0)

    assert [type(error) for error, _ in pair.a.lost] == [ConnectionResetError]
    assert pair.a.lost[0][1] == pytest.approx(crashed_s + LATENCY_S)
    assert pair.b.lost == []
    with pytest.raises(ConnectionRefusedError):
        pair.dial()


def test_a_reset_is_told_to_both_ends_and_loses_what_is_under_way(pair: Pair) -> None:
    pair.dial()

    pair.send(b"never")
    pair.wires.reset(lambda here, there: True)
    pair.loops.run_for(1.0)

    assert pair.b.received == b""
    assert len(pair.a.lost) == len(pair.b.lost) == 1


def test_closing_sends_what_was_written_before(pair: Pair) -> None:
    pair.dial()

    pair.send(b"last words")
    pair.a.transport.close()
    pair.send(b"too late")
    pair.loops.run_for(1.0)

    assert pair.b.received == b"last words"
    assert pair.a.lost[0][0] is None
    assert len(pair.b.lost) == 1


def test_a_writer_far_ahead_of_its_reader_is_paused_until_that_has_caught_up(pair: Pair) -> None:
    pair.b.buffer = bytearray(65536)
    pair.dial()
    pair.theirs.stalled_until_ns = 100_000_000_000

    pair.send(bytes(WINDOW_BYTES), b"x")
    pair.loops.run_for(50.0)
    assert pair.a.pauses == 1
    pair.loops.run_for(100.0)

    assert pair.a.pauses == 0
    assert len(pair.b.received) == WINDOW_BYTES + 1


def test_the_trace_tells_runs_apart_by_when_and_between_whom_anything_arrived() -> None:
    traces = []
    for pieces in ([b"one"], [b"two"], [b"one", b"two"]):
        pair = Pair()
        pair.dial()
        pair.send(*pieces)
        pair.loops.run_for(1.0)
        traces.append(pair.wires.trace_hash)
        pair.loops.close()

    assert traces[0] == traces[1] != traces[2]
