"""Tests of sessions on nodes: broken lanes go on, and end only when there is a reason to."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import msgpack
import pytest

from partisan_actors.errors import NodeDown, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node import sessions as sessions_module
from partisan_actors.transport.connection import Connection
from partisan_actors.transport.memory import MemoryNetwork
from partisan_actors.transport.receiver import DamagedFrame
from tests.nodes import TestNode, config_of, nodes, quiet, until

FOR_EVER = 1e9
BY_HAND: dict[str, Any] = {"keep_alive_s": FOR_EVER, "load_period_s": FOR_EVER}
# The time to get another connection does not pass within a test.
PATIENT: dict[str, Any] = {**BY_HAND, "session_resume_s": 1000.0}
CUT = ConnectionResetError("a cable was pulled")


async def connected(a: TestNode, b: TestNode) -> None:
    a.tell(b, 0)
    await until(lambda: b.told == [0])


async def test_calls_and_their_answers_outlive_the_connection_whichever_side_loses_it() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        await connected(a, b)

        for number, loser in enumerate([a.peer(b), b.peer(a)], start=1):
            answer = a.ask(b, number)
            await until(lambda: b.asked)
            loser.open[0].cut(CUT)
            b.answer_all()
            await until(answer.done)
            assert answer.value == number

        assert a.sessions.resumed == b.sessions.resumed == 2
        assert a.lost == b.lost == [] and a.sessions.broken_count == b.sessions.broken_count == 0


async def test_what_is_sent_meanwhile_waits_its_turn() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        await connected(a, b)
        a.tell(b, 1)
        a.peer(b).open[0].cut(CUT)
        await asyncio.sleep(0)
        assert a.peer(b).open[0].is_suspended

        for number in range(2, 100):
            a.tell(b, number)

        await until(lambda: b.told == list(range(100)))
        assert a.sessions.resumed == 1


async def test_what_was_sent_before_the_dialler_knew_that_it_was_welcome_arrives_on_the_next_connection() -> None:
    async with nodes("a", "b", **PATIENT) as (a, b):
        b_opens = b.dialling.opened
        broken: list[Connection] = []

        def break_the_first(connection: Connection) -> None:
            """As if the connection had been lost with the Welcome on it."""
            receive = connection.handshake.receive

            def but_no_welcome(body: bytes) -> None:
                if not broken and msgpack.unpackb(body)["type"] == "welcome":
                    broken.append(connection)
                    connection.cut(CUT)
                else:
                    receive(body)

            connection.handshake.receive = but_no_welcome  # type: ignore[method-assign]  # a fault

        def send_at_once(connection: Connection) -> None:
            b_opens(connection)
            if not b.peer(a).open[0].handshake.dialler and not sent:
                sent.append(7)
                b.tell(a, 7)

        sent: list[int] = []
        a.dialling.on_made = break_the_first
        b.dialling.opened = send_at_once  # type: ignore[method-assign]  # a spy

        a.tell(b, 1)

        await until(lambda: a.told == [7])
        assert broken and sent
        lost = broken[0].handshake.connection_id
        assert lost in {connection.session.identity for connection in a.peer(b).open}
        for number in range(8, 20):
            b.tell(a, number)
        await until(lambda: a.told == list(range(7, 20)))


async def test_a_hundred_breaks_under_load_lose_and_repeat_nothing_in_either_direction() -> None:
    rng = random.Random(7)
    async with nodes("a", "b", **BY_HAND) as (a, b):
        await connected(a, b)
        sent = 0
        for _ in range(100):
            for _ in range(rng.randint(1, 30)):
                sent += 1
                a.tell(b, sent)
                b.tell(a, sent)
                if rng.random() < 0.2:
                    await asyncio.sleep(0)
            side = rng.choice((a.peer(b), b.peer(a)))
            for connection in list(side.open):
                connection.cut(CUT)
            await quiet(rng.randint(0, 20))

        await until(lambda: len(b.told) == sent + 1 and len(a.told) == sent)
        assert b.told == list(range(sent + 1)) and a.told == list(range(1, sent + 1))
        assert a.lost == b.lost == []


async def test_a_peer_that_has_ended_is_noticed_as_soon_as_nobody_listens() -> None:
    network = MemoryNetwork()
    async with nodes("a", network=network, **PATIENT) as (a,):
        b = TestNode(config_of("b", **PATIENT), network)
        await b.start()
        a.introduce(b)
        await connected(a, b)
        lost = a.ask(b, 1)
        await until(lambda: b.asked)

        network.listening.pop(b.address)
        b.peer(a).open[0].cut(CUT)  # as the end of a process does, it says nothing before
        await until(lambda: a.lost == ["b"] and lost.done())

        assert isinstance(lost.error, PartisanError)
        await b.close(graceful=False)


async def test_another_life_at_the_address_ends_the_session_of_the_former() -> None:
    network = MemoryNetwork()
    async with nodes("a", network=network, **BY_HAND) as (a,):
        b = TestNode(config_of("b", **BY_HAND), network)
        await b.start()
        a.introduce(b)
        await connected(a, b)
        lost = a.ask(b, 1)
        await until(lambda: b.asked)
        network.listening.pop(b.address)
        again = TestNode(config_of("b", **BY_HAND), network)
        again.me = NodeId("b", 2)
        await again.start()

        b.peer(a).open[0].cut(CUT)
        await until(lambda: a.lost == ["b"] and lost.done())

        for node in (b, again):
            await node.close(graceful=False)


async def test_a_peer_that_does_not_know_the_session_ends_it() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        await connected(a, b)
        lost = a.ask(b, 1)
        await until(lambda: b.asked)

        b.peer(a).open[0].abort(CUT)  # it forgets the session
        await until(lost.done)

        assert isinstance(lost.error, PartisanError)
        a.tell(b, 1)
        await until(lambda: b.told == [0, 1])


async def test_when_no_other_connection_can_be_had_in_time_the_session_is_over() -> None:
    async with nodes("a", "b", **BY_HAND, session_resume_s=0.05, dial_timeout_s=0.5) as (a, b):
        await connected(a, b)
        lost = a.ask(b, 1)
        await until(lambda: b.asked)

        async def hang(*_: Any) -> None:
            await asyncio.get_running_loop().create_future()

        for node in (a, b):
            node.dialling._transport.dial = hang  # type: ignore[method-assign]  # nobody answers
        a.peer(b).open[0].cut(CUT)
        await until(lambda: lost.done() and a.lost == ["b"])

        assert "a cable was pulled" in str(lost.error)


async def test_a_peer_that_is_declared_down_is_not_dialled_any_more() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        await connected(a, b)
        lost = a.ask(b, 1)
        await until(lambda: b.asked)

        a.peer(b).open[0].cut(CUT)
        await asyncio.sleep(0)
        a.router.mark_down(b.me, "tests say so")

        assert isinstance(lost.error, NodeDown)
        await quiet()
        assert a.sessions.broken_count == 0 and not a.peer(b).open


async def test_a_node_that_closes_says_so_and_nobody_dials() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        await connected(a, b)

        await b.close()
        await until(lambda: not a.peer(b).open)

        assert a.sessions.broken_count == 0 and a.sessions.resumed == 0


async def test_without_sessions_a_lost_connection_fails_its_calls() -> None:
    for off in ("a", "b"):
        network = MemoryNetwork()
        async with (
            nodes("a", network=network, session_resume_s=0.0 if off == "a" else 10.0, **BY_HAND) as (a,),
            nodes("b", network=network, session_resume_s=0.0 if off == "b" else 10.0, **BY_HAND) as (b,),
        ):
            a.introduce(b)
            await connected(a, b)
            lost = a.ask(b, 1)
            await until(lambda: b.asked)

            a.peer(b).open[0].cut(CUT)
            await until(lost.done)

            assert isinstance(lost.error, PartisanError)


async def test_damaged_frames_without_end_end_the_session_and_are_counted() -> None:
    async with nodes("a", "b", **BY_HAND, checksums=True) as (a, b):
        await connected(a, b)

        def damage() -> None:
            for connection in a.peer(b).open:
                connection.cut(DamagedFrame("tests say so"))

        lost = a.ask(b, 1)
        await until(lambda: b.asked)
        while not lost.done():
            damage()
            await asyncio.sleep(0)

        assert a.sessions.damaged_frames >= 3


async def test_two_sides_that_dial_at_once_agree_on_one_connection() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        await connected(a, b)
        for number in range(1, 30):
            ours, theirs = a.peer(b).open[0], b.peer(a).open[0]
            theirs.cut(CUT)
            ours.cut(CUT)
            a.tell(b, number)
            await until(lambda number=number: b.told[-1] == number)
            await until(lambda: not a.sessions.broken_count and not b.sessions.broken_count)

        assert len(a.peer(b).open) == len(b.peer(a).open) == 1
        assert a.dialling.connection_count == b.dialling.connection_count == 1


async def test_back_off_grows_to_its_longest_and_is_never_in_step(monkeypatch: Any) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def note(delay_s: float) -> None:
        if delay_s:
            waits.append(delay_s)
        await sleep(0)

    async with nodes("a", "b", **BY_HAND, session_resume_s=1000.0) as (a, b):
        await connected(a, b)

        async def fail(*_: Any) -> None:
            raise TimeoutError

        a.dialling._transport.dial = fail  # type: ignore[method-assign]  # nobody answers
        b.dialling._transport.dial = fail  # type: ignore[method-assign]  # nor there
        monkeypatch.setattr(sessions_module.asyncio, "sleep", note)
        a.peer(b).open[0].cut(CUT)
        while len(waits) < 60:
            await sleep(0)
        monkeypatch.undo()

    assert max(waits) <= sessions_module.LONGEST_WAIT_S
    assert min(waits[20:]) >= sessions_module.LONGEST_WAIT_S / 2
    assert len(set(waits)) == len(waits)


async def test_a_lane_that_breaks_when_too_many_wait_already_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "SUSPENDED_MAX", 0)
    async with nodes("a", "b", **BY_HAND) as (a, b):
        await connected(a, b)
        lost = a.ask(b, 1)
        await until(lambda: b.asked)

        a.peer(b).open[0].cut(CUT)
        await until(lost.done)

        assert isinstance(lost.error, PartisanError) and not a.sessions.resumed and not a.sessions.broken_count
