"""Tests of keep-alive: silent peers are noticed, and idle connections are closed without losing anything."""

from __future__ import annotations

import random

import pytest

from partisan_actors.node.keepalive import Phase
from partisan_actors.transport.memory import MemoryNetwork
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from tests.nodes import TestNode, nodes, overlay, quiet, until

IDLE_S = 60.0
FOR_EVER = 1e9
# What the tests of idle connections say of time: they call `check` themselves.
BY_HAND = {"keep_alive_s": FOR_EVER, "idle_close_s": IDLE_S, "load_period_s": FOR_EVER}


async def idle_for(seconds: float, *watchers: TestNode) -> None:
    """Time passes: each of `watchers` looks at its connections now, and again `seconds` later."""
    await quiet()
    for moment in (0.0, seconds):
        for node in watchers:
            node.keep_alive.check(node.loop.time() + moment)
    await quiet()


async def test_a_connection_nobody_used_for_long_is_closed_by_both_sides_and_nobody_reports_a_lost_peer() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)

        await idle_for(IDLE_S + 1, a)

        assert not a.peer(b).open and not b.peer(a).open
        assert a.lost == b.lost == []
        assert a.dialling.connection_count == b.dialling.connection_count == 0


async def test_a_connection_that_was_just_used_stays() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)

        await idle_for(IDLE_S / 2, a, b)

        assert a.peer(b).is_connected and b.peer(a).is_connected


async def test_after_an_idle_close_either_side_dials_anew() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        await idle_for(IDLE_S + 1, a)

        b.tell(a, 2)
        a.tell(b, 3)

        await until(lambda: a.told == [2] and b.told == [1, 3])


async def test_a_peer_that_is_held_is_not_let_go() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        a.peer(b).is_held = True

        await idle_for(IDLE_S + 1, a)

        assert a.peer(b).is_connected


async def test_the_side_that_holds_the_peer_refuses_and_the_same_connection_is_used_on() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        b.peer(a).is_held = True
        (connection,) = a.peer(b).open

        await idle_for(IDLE_S + 1, a)

        assert a.peer(b).open == [connection] and a.peer(b).calls is connection
        a.tell(b, 2)
        await until(lambda: b.told == [1, 2])
        assert a.peer(b).open == [connection]


async def test_a_side_with_an_unanswered_call_does_not_ask_and_does_not_agree() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        answer = a.ask(b, 7)
        await until(lambda: b.asked)

        await idle_for(IDLE_S + 1, a, b)

        assert a.peer(b).is_connected and b.peer(a).is_connected
        b.answer_all()
        await until(answer.done)
        assert answer.value == 7


async def test_what_is_sent_while_the_other_side_is_asked_waits_and_goes_over_the_next_connection() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        await quiet()
        a.keep_alive.check(a.loop.time())
        a.keep_alive.check(a.loop.time() + IDLE_S + 1)

        a.tell(b, 2)
        answer = a.ask(b, 5)
        assert a.peer(b).waiting and not a.peer(b).is_connected

        await until(lambda: b.told == [1, 2] and b.asked)
        b.answer_all()
        await until(answer.done)
        assert answer.value == 5
        assert a.lost == b.lost == []


async def test_two_sides_that_ask_at_once_both_close() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)

        await idle_for(IDLE_S + 1, a, b)

        assert not a.peer(b).open and not b.peer(a).open
        assert a.lost == b.lost == []


async def test_a_side_that_does_not_answer_the_question_is_given_up_and_what_waits_is_sent_anew() -> None:
    async with nodes("a", "b", **{**BY_HAND, "keep_alive_s": 1.0}) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        b.dispatch[Kind.IDLE] = lambda peer, message, buffers=None: None
        await idle_for(IDLE_S + 1, a)
        a.tell(b, 2)
        assert b.told == [1]

        now = a.loop.time() + IDLE_S
        for later in (10, 20, 30):
            a.keep_alive.check(now + later)

        await until(lambda: b.told == [1, 2])


async def test_of_too_many_peers_the_least_recently_used_is_let_go() -> None:
    async with nodes("a", "b", "c", "d", **BY_HAND, dialled_max=2) as (a, b, c, d):
        for other in (b, c):
            a.tell(other, 1)
            await until(lambda other=other: other.told)
            a.keep_alive.check(a.loop.time())
        a.tell(b, 2)
        await until(lambda: b.told == [1, 2])
        a.keep_alive.check(a.loop.time() + 1)

        a.tell(d, 1)
        await until(lambda: d.told and not a.peer(c).open)

        assert a.peer(b).is_connected and a.peer(d).is_connected
        a.tell(c, 2)
        await until(lambda: c.told == [1, 2])


async def test_peers_that_are_waited_for_are_kept_beyond_the_number_of_connections_allowed() -> None:
    async with nodes("a", "b", "c", **BY_HAND, dialled_max=1) as (a, b, c):
        answers = [a.ask(b, 1), a.ask(c, 2)]
        await until(lambda: b.asked and c.asked)
        await idle_for(1.0, a)

        b.answer_all()
        c.answer_all()
        await until(lambda: all(answer.done() for answer in answers))

        assert [answer.value for answer in answers] == [1, 2]


async def test_what_a_slow_connection_still_carries_is_not_overtaken_on_the_next_one() -> None:
    delay_s = 0.0
    async with nodes("a", "b", network=MemoryNetwork(lambda: delay_s), **BY_HAND) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        await idle_for(IDLE_S / 2, a)

        delay_s = 0.05
        a.tell(b, 2)
        a.keep_alive.check(a.loop.time() + 2 * IDLE_S)
        await quiet()
        delay_s = 0.0
        a.tell(b, 3)

        await until(lambda: len(b.told) == 3)
        assert b.told == [1, 2, 3]


@pytest.mark.parametrize("seed", range(25))
async def test_no_message_is_lost_or_overtaken_however_often_connections_are_let_go(seed: int) -> None:
    rng = random.Random(seed)
    # Every look takes each peer for idle.
    network = MemoryNetwork(delay_s=lambda: rng.choice((0.0, 0.0, 0.0001)))
    async with nodes("a", "b", "c", network=network, **{**BY_HAND, "idle_close_s": 1e-9}) as (a, b, c):
        made = [a, b, c]
        sent: dict[tuple[str, str], list[int]] = {}
        answers = []
        for number in range(300):
            sender, receiver = rng.sample(made, 2)
            match rng.randrange(8):
                case 0 | 1 | 2:
                    sender.tell(receiver, [sender.me.name, number])
                    sent.setdefault((sender.me.name, receiver.me.name), []).append(number)
                case 3:
                    answers.append((number, sender.ask(receiver, number)))
                case 4:
                    receiver.answer_all()
                case 5 | 6:
                    sender.keep_alive.check(sender.loop.time() + number)
                case _:
                    await quiet(rng.randrange(6))

        def all_told() -> bool:
            for node in made:
                node.answer_all()
            told = {
                (name, node.me.name): [number for origin, number in node.told if origin == name]
                for node in made
                for name in {origin for origin, _ in node.told}
            }
            return told == sent

        await until(all_told)
        await until(lambda: [node.answer_all() for node in made] and all(answer.done() for _, answer in answers))
        assert [answer.value for _, answer in answers] == [number for number, _ in answers]
        assert a.lost == b.lost == c.lost == []


async def test_an_answer_to_a_question_that_nobody_asked_changes_nothing() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        identity = a.peer(b).open[0].handshake.connection_id

        for phase, name in ((Phase.AGREE, identity), (Phase.KEEP, identity), (Phase.ASK, b"unknown"), (99, identity)):
            a.peer(b).send(pack([Kind.IDLE, phase, name]))
        a.tell(b, 2)

        await until(lambda: b.told == [1, 2])
        assert len(a.peer(b).open) == len(b.peer(a).open) == 1


async def test_a_connection_that_stays_silent_while_its_peer_answers_is_given_up_for_another_one() -> None:
    async with nodes("a", "b", **BY_HAND, keep_alive_misses=3) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        b.dispatch[Kind.PING] = lambda peer, message, buffers=None: None
        silent = list(a.peer(b).open)

        for _ in range(5):
            a.keep_alive.look_at(a.peer(b), answers=True)
            await quiet()
        a.tell(b, 2)
        await until(lambda: b.told == [1, 2])

        assert a.peer(b).open != silent and a.sessions.resumed == 1
        assert a.lost == b.lost == []


async def test_without_sessions_a_connection_that_stays_silent_while_its_peer_answers_is_lost() -> None:
    async with nodes("a", "b", **BY_HAND, keep_alive_misses=3, session_resume_s=0.0) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        b.dispatch[Kind.PING] = lambda peer, message, buffers=None: None

        for _ in range(4):
            a.keep_alive.look_at(a.peer(b), answers=True)
            await quiet()
        assert a.peer(b).is_connected
        a.keep_alive.look_at(a.peer(b), answers=True)
        await quiet()

        assert not a.peer(b).is_connected
        assert a.lost == ["b"]


async def test_while_a_peer_answers_nowhere_its_connections_are_left_to_the_detector() -> None:
    async with nodes("a", "b", **BY_HAND, keep_alive_misses=1) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        b.dispatch[Kind.PING] = lambda peer, message, buffers=None: None

        for _ in range(10):
            a.keep_alive.look_at(a.peer(b), answers=False)
            await quiet()

        assert a.peer(b).is_connected


async def test_a_silent_connection_whose_pings_are_answered_is_kept() -> None:
    async with nodes("a", "b", **BY_HAND, keep_alive_misses=1) as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)

        for _ in range(20):
            a.keep_alive.look_at(a.peer(b), answers=True)
            await quiet()

        assert a.peer(b).is_connected and a.lost == []


async def test_a_busy_connection_is_not_pinged() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        pings: list[int] = []
        a.dispatch[Kind.PING] = b.dispatch[Kind.PING] = lambda peer, message, buffers=None: pings.append(1)

        for number in range(10):
            b.tell(a, number)
            await quiet()
            a.keep_alive.look_at(a.peer(b), answers=True)
        await quiet()

        assert pings == [] and a.told == list(range(10))


async def test_of_two_connections_between_nodes_that_dialled_each_other_neither_is_taken_for_dead() -> None:
    async with nodes("a", "b", **BY_HAND, keep_alive_misses=1) as (a, b):
        a.router.surplus = lambda peer, connection: None  # type: ignore[method-assign]  # it is not let go of yet
        a.tell(b, 1)
        b.tell(a, 1)
        await until(lambda: a.told and b.told and len(a.peer(b).open) == len(b.peer(a).open) == 2)

        for _ in range(20):
            a.keep_alive.look_at(a.peer(b), answers=True)
            await quiet()

        assert len(a.peer(b).open) == 2 and a.lost == b.lost == []


async def test_neighbours_of_a_quiet_overlay_stay_connected() -> None:
    settings = {"keep_alive_s": 0.02, "idle_close_s": 0.06, "suspicion_s": 60.0, "load_period_s": FOR_EVER}
    async with overlay("a", "b", "c", **settings) as (a, b, c):
        seen = [sum(connection.bytes_in for connection in node.peer(a).open) for node in (b, c)]

        await until(
            lambda: all(
                sum(connection.bytes_in for connection in node.peer(a).open) > before + 100
                for node, before in zip((b, c), seen, strict=True)
            ),
            "pings went back and forth for a while",
        )

        assert a.lost == b.lost == c.lost == []
