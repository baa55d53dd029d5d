"""The way through the overlay, on whole nodes whose neighbours are set by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from partisan_actors.errors import NoRoute, Overloaded
from partisan_actors.ids import NodeId
from partisan_actors.node import relay as relay_module
from partisan_actors.protocols.delivery import stream
from partisan_actors.wire.channels import CALLS, CONTROL
from partisan_actors.wire.codec import pack
from partisan_actors.wire.envelope import Envelope
from partisan_actors.wire.frames import Kind
from tests.nodes import TestNode, nodes, quiet, until

STRANGER = NodeId("stranger", 1)


@asynccontextmanager
async def line(*names: str, **settings: Any) -> AsyncIterator[list[TestNode]]:
    """Nodes in a line: each is the neighbour of the one before and of the one after, and dials nobody else."""
    quiet_ones = {"routing": "relay", "keep_alive_s": 1000.0, "load_period_s": 1000.0}
    async with nodes(*names, **{**quiet_ones, **settings}) as made:
        await connect_in_line(made)
        yield made


async def connect_in_line(made: list[TestNode]) -> None:
    for node, after in pairwise(made):
        await node.connect(after.address, after.me)
    await until(lambda: all(b.peer(a).is_connected for a, b in pairwise(made)))
    for index, node in enumerate(made):
        near = [other.me for other in made[max(0, index - 1) : index + 2] if other is not node]
        node.neighbours = lambda near=near: near  # type: ignore[method-assign,misc]  # the overlay's say


def passed(node: TestNode) -> list[Envelope]:
    """From now on, the envelopes that arrive at a node."""
    seen: list[Envelope] = []
    on_relay = node.dispatch[Kind.RELAY]

    def spy(peer: Any, message: list[Any], buffers: Any = None) -> None:
        seen.append(Envelope(*message))
        on_relay(peer, message, buffers)

    node.dispatch[Kind.RELAY] = spy
    return seen


async def test_a_message_goes_from_neighbour_to_neighbour_until_it_is_there() -> None:
    async with line("a", "b", "c", "d") as (a, b, c, d):
        at_d = passed(d)

        a.tell(d, "far")

        await until(lambda: d.told == ["far"])
        assert [(envelope.hops, envelope.ttl) for envelope in at_d] == [(2, relay_module.RELAY_TTL - 2)]
        assert a.peer(d).open == d.peer(a).open == []
        assert b.told == c.told == []


async def test_an_answer_goes_back_the_way_the_question_came() -> None:
    async with line("a", "b", "c") as (a, b, c):
        answer = a.ask(c, 7)
        await until(lambda: c.asked)

        c.answer_all()

        await until(answer.done)
        assert answer.value == 7
        assert c.relays.next_hops[a.me] == b.me


async def test_buffers_go_along() -> None:
    async with line("a", "b", "c") as (a, _, c):
        got: list[Any] = []
        c.dispatch[Kind.TELL] = lambda peer, m, buffers=None: got.append([bytes(each) for each in buffers])

        a.peer(c).send_large(pack([Kind.TELL, b"actor", "method"]), [b"x" * 100_000, bytearray(b"y" * 10)])

        await until(lambda: got == [[b"x" * 100_000, b"y" * 10]])


async def test_a_known_way_is_taken_instead_of_every_way() -> None:
    async with nodes("a", "b", "c", "d", routing="relay", keep_alive_s=1000.0) as (a, b, c, d):
        for node, other in ((a, b), (a, c), (b, d), (c, d)):
            await node.connect(other.address, other.me)
        await until(lambda: d.peer(b).is_connected and d.peer(c).is_connected)
        for node, near in ((a, (b, c)), (b, (a, d)), (c, (a, d)), (d, (b, c))):
            node.neighbours = lambda near=near: [other.me for other in near]  # type: ignore[method-assign,misc]  # as above
        at_b, at_c = passed(b), passed(c)

        a.relays.learn(d.me, b.me)
        a.tell(d, 1)
        await until(lambda: d.told == [1])
        assert ([e.number for e in at_b], [e.number for e in at_c]) == ([1], [])

        a.relays.went_down(b.me)
        a.tell(d, 2)
        await until(lambda: d.told == [1, 2])
        assert [e.number for e in at_c if e.origin == [*a.me]] == [2]


async def test_without_any_neighbour_there_is_no_route() -> None:
    async with nodes("a", "b", routing="relay") as (a, b):
        with pytest.raises(NoRoute, match="no neighbour"):
            a.tell(b, 1)


async def test_who_has_just_lost_its_only_neighbour_waits_for_another_one() -> None:
    async with line("a", "b", "c") as (a, _, c):
        near = a.neighbours
        a.relays.neighbours_changed()
        a.neighbours = list  # type: ignore[method-assign,misc]  # the overlay's say
        a.relays.neighbours_changed()

        a.tell(c, 1)
        a.neighbours = near  # type: ignore[method-assign]  # as it was
        a.relays.neighbours_changed()

        await until(lambda: c.told == [1])


async def test_who_has_been_without_a_neighbour_for_long_has_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    async with line("a", "b", "c") as (a, _, c):
        a.relays.neighbours_changed()
        a.neighbours = list  # type: ignore[method-assign,misc]  # as above
        a.relays.neighbours_changed()
        monkeypatch.setattr(relay_module, "ALONE_S", 0.0)

        with pytest.raises(NoRoute, match="no neighbour"):
            a.tell(c, 1)


async def test_a_message_that_was_lost_is_sent_again_and_handled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "RESEND_AFTER_S", 0.01)
    monkeypatch.setattr(relay_module, "TICK_S", 0.01)
    async with line("a", "b", "c") as (a, b, c):
        lost: list[Any] = []
        on_relay, b.dispatch[Kind.RELAY] = b.dispatch[Kind.RELAY], lambda *arrived: lost.append(arrived)
        a.tell(c, 1)
        a.tell(c, 2)
        await until(lambda: len(lost) >= 2)
        b.dispatch[Kind.RELAY] = on_relay

        await until(lambda: c.told == [1, 2])
        a.tell(c, 3)
        await until(lambda: c.told == [1, 2, 3])
        await until(lambda: a.relays._links[c.me].outgoing.is_idle, "everything is acknowledged")


async def test_the_same_envelope_is_passed_on_once() -> None:
    async with line("a", "b", "c") as (a, b, c):
        at_c = passed(c)
        envelope = list(Envelope(Kind.RELAY, [*c.me], [*a.me], 99, 5, 0, True, "calls", None, 1, 1, 1, 0, pack([1])))

        b.relays.on_relay(b.peer(a), envelope)
        b.relays.on_relay(b.peer(a), envelope)
        await until(lambda: at_c)
        await quiet()

        assert len(at_c) == 1


async def test_a_message_that_has_gone_too_far_is_dropped() -> None:
    async with line("a", "b", "c") as (a, b, c):
        at_c = passed(c)

        b.relays.on_relay(
            b.peer(a), list(Envelope(Kind.RELAY, [*c.me], [*a.me], 1, 1, 0, False, "calls", None, 1, 1, 1, 0, b""))
        )
        await quiet()

        assert at_c == [] and b.relays.lost == 1


@pytest.mark.parametrize("kind", [Kind.RELAY, Kind.PING, Kind.PONG, Kind.IDLE, Kind.COUNT, -1])
async def test_what_belongs_to_a_connection_or_to_nobody_is_not_taken_from_an_envelope(kind: int) -> None:
    async with line("a", "b", "c") as (a, _, c):
        handled: list[Any] = []
        c.dispatch[Kind.PING] = c.dispatch[Kind.PONG] = c.dispatch[Kind.IDLE] = lambda *m: handled.append(m)

        a.relays.send(c.me, pack([kind, 1, 2]), None, "calls")
        a.tell(c, "after it")

        await until(lambda: c.told == ["after it"])
        assert handled == []


def fail(*message: Any) -> None:
    raise ZeroDivisionError


async def test_a_message_that_cannot_be_handled_does_not_cost_those_that_follow() -> None:
    async with line("a", "b", "c") as (a, b, c):
        c.dispatch[Kind.REPLY] = fail

        a.relays.send(c.me, pack([Kind.REPLY, 1, 1]), None, "calls")
        a.tell(c, "after it")

        await until(lambda: c.told == ["after it"])
        assert b.peer(c).is_connected


async def test_what_nobody_acknowledges_is_given_up_and_the_calls_in_it_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "GIVE_UP_S", 0.05)
    monkeypatch.setattr(relay_module, "TICK_S", 0.01)
    async with line("a", "b", "c") as (a, b, c):
        b.dispatch[Kind.RELAY] = lambda *arrived: None
        answer = a.ask(c, 1)

        await until(answer.done)

        assert "nothing got through the overlay" in str(answer.error)
        assert a.lost == ["c"]
        assert a.relays._links[c.me].outgoing.is_idle


async def test_a_call_whose_answer_was_given_up_fails_when_the_other_end_begins_anew() -> None:
    async with line("a", "b", "c") as (a, _, c):
        answer = a.ask(c, 1)
        await until(lambda: c.asked)

        c.relays._links[a.me].outgoing.give_up()
        c.tell(a, "hello")

        await until(answer.done)
        assert "way back" in str(answer.error)
        assert a.told == ["hello"]


class Ahead:
    """A loop that tells a time of its own, so that hours pass while nothing waits."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.now = loop.time()

    def time(self) -> float:
        return float(self.now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)


async def test_a_call_that_waits_long_is_kept_alive_by_signs_of_life() -> None:
    async with line("a", "b", "c") as (a, _, c):
        at_c = passed(c)
        time = a.loop = Ahead(a.loop)
        answer = a.ask(c, 1)
        outgoing = a.relays._links[c.me].outgoing

        while time.now < time.loop.time() + 10 * stream.GIVE_UP_S:
            await until(lambda: outgoing.is_idle, "the last sign of life to be acknowledged")
            time.now += relay_module.PROBE_AFTER_S
            a.relays._tick()

        assert len(at_c) > 20, "several questions for a sign of life"
        assert not answer.done()
        c.answer_all()
        await until(answer.done)

        assert answer.value == 1


async def test_a_node_that_goes_down_takes_what_waits_for_it_along() -> None:
    async with line("a", "b", "c") as (a, b, c):
        b.dispatch[Kind.RELAY] = lambda *arrived: None
        answer = a.ask(c, 1)

        a.router.mark_down(c.me, "it does not answer")

        assert "down" in str(answer.error)
        assert a.relays._links[c.me].outgoing.is_idle and c.me not in a.relays.next_hops


async def test_of_a_node_that_is_forgotten_nothing_is_left() -> None:
    async with line("a", "b", "c") as (a, b, _):
        b.dispatch[Kind.RELAY] = lambda *arrived: None
        a.relays.send(STRANGER, pack([Kind.TELL, b"actor", "method", 1]), None, CALLS)
        a.relays.learn(STRANGER, b.me)
        a.router.peer(STRANGER)
        assert STRANGER in a.relays.ways()

        a.router.forget(STRANGER)
        a.relays._tick()

        assert STRANGER not in a.relays.ways() and STRANGER not in a.relays.next_hops
        assert STRANGER not in a.router.peers, "and nobody makes it anew"


async def test_who_forgot_a_stream_begins_another_one_of_which_nothing_is_taken_for_a_former_message() -> None:
    async with line("a", "b", "c") as (a, _, c):
        a.tell(c, 1)
        await until(lambda: c.told == [1])

        a.router.forget(c.me)
        a.tell(c, 2)

        await until(lambda: c.told == [1, 2])


async def test_at_the_bound_the_oldest_stream_is_forgotten_and_the_calls_in_it_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "LINKS_MAX", 2)
    async with line("a", "b", "c") as (a, b, c):
        b.dispatch[Kind.RELAY] = lambda *arrived: None
        answer = a.ask(c, 1)

        for life in (1, 2):
            a.relays.send(NodeId("stranger", life), pack([Kind.TELL, b"actor", "method", 1]), None, CALLS)
            a.relays.learn(NodeId("far", life), b.me)
            a.relays.learn(NodeId("farther", life), b.me)

        assert "2 other streams have begun since" in str(answer.error)
        assert list(a.relays.ways()) == [NodeId("stranger", 1), NodeId("stranger", 2)]
        assert list(a.relays.next_hops) == [NodeId("far", 2), NodeId("farther", 2)]


async def test_a_full_stream_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "QUEUE_BYTES_MAX", 1000)
    monkeypatch.setattr(stream, "WINDOW_MESSAGES", 1)
    async with line("a", "b", "c") as (a, b, c):
        b.dispatch[Kind.RELAY] = lambda *arrived: None
        a.tell(c, 1)
        a.tell(c, "x" * 900)

        with pytest.raises(Overloaded):
            a.tell(c, "x" * 200)


async def test_signs_of_life_are_heard_through_others_or_missed_in_time() -> None:
    async with line("a", "b", "c") as (a, b, c):
        assert await a.relays.hears(c.me, 60.0)

        b.dispatch[Kind.RELAY] = lambda *arrived: None

        assert not await a.relays.hears(c.me, 0.05)


async def test_a_node_that_cannot_be_dialled_is_reached_on_the_connection_it_made_itself() -> None:
    async with nodes("a", "b", keep_alive_s=1000.0) as (a, b):
        await b.connect(a.address, a.me)
        await until(lambda: a.peer(b).is_connected)
        a.addresses.learn(b.me, ["nowhere:1"])

        answer = a.ask(b, 3)
        await until(lambda: b.asked)
        b.answer_all()
        await until(answer.done)

        assert answer.value == 3


async def test_an_answer_that_has_no_way_now_waits_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "RESEND_AFTER_S", 1000.0)
    async with line("a", "b", "c") as (a, b, c):
        answer = a.ask(c, 1)
        await until(lambda: c.asked)
        c.neighbours = list  # type: ignore[method-assign]  # it has just lost its only one

        c.answer_all()
        await quiet()
        assert not answer.done()
        c.neighbours = lambda: [b.me]  # type: ignore[method-assign]  # and has got another
        c.relays.neighbours_changed()

        await until(answer.done)
        assert answer.value == 1


async def test_answers_are_taken_beyond_the_bound_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "WINDOW_MESSAGES", 1)
    async with line("a", "b", "c") as (a, _, c):
        answers = [a.ask(c, number) for number in (1, 2, 3)]
        await until(lambda: len(c.asked) == 3)
        monkeypatch.setattr(stream, "QUEUE_BYTES_MAX", 1)

        c.answer_all()

        await until(lambda: all(answer.done() for answer in answers))
        assert [answer.value for answer in answers] == [1, 2, 3]


async def test_in_a_large_cluster_a_sign_of_life_is_no_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"n{number}" for number in range(8)]
    async with nodes(*names, routing="relay", keep_alive_s=1000.0, load_period_s=1000.0) as made:
        first, others = made[0], made[1:]
        for node in made:  # everybody is everybody's neighbour, but nobody can reach the stranger
            node.neighbours = lambda node=node: [other.me for other in made if other is not node]
        for node in others:
            await first.connect(node.address, node.me)
        await until(lambda: all(first.peer(node).is_connected for node in others))
        arrived = [passed(node) for node in others]

        await first.relays._ask(STRANGER, 0.05, is_flood=True)
        await quiet()
        in_a_small_one = sum(map(len, arrived))
        monkeypatch.setattr(relay_module, "FLOODED_MAX", -1)
        await first.relays._ask(STRANGER, 0.05, is_flood=True)
        await quiet()

        assert in_a_small_one >= len(others)
        assert sum(map(len, arrived)) - in_a_small_one < len(others)


async def test_in_a_large_cluster_what_the_overlay_says_is_no_flood_and_what_users_say_still_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "FLOODED_MAX", -1)
    names = [f"n{number}" for number in range(8)]
    async with nodes(*names, routing="relay", keep_alive_s=1000.0, load_period_s=1000.0) as made:
        first, others = made[0], made[1:]
        for node in made:
            node.neighbours = lambda node=node: [other.me for other in made if other is not node]
        for node in others:
            await first.connect(node.address, node.me)
        await until(lambda: all(first.peer(node).is_connected for node in others))
        arrived = [passed(node) for node in others]

        first.relays.send(STRANGER, pack([Kind.CONTROL, ["unit.none"]]), None, CONTROL)
        first.relays._hurry()
        await quiet()
        control = [sum(envelope.hops == 0 for envelope in seen) for seen in arrived]
        first.relays.send(STRANGER, pack([Kind.CONTROL, ["unit.none"]]), None, CALLS)
        first.relays._hurry()
        await until(lambda: all(any(envelope.channel == CALLS for envelope in seen) for seen in arrived))

        assert 1 <= sum(control) <= 2, "once, and once more, each to one of them"


async def test_a_message_ends_where_its_last_hop_does_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "RELAY_TTL", 5)
    async with line(*"abcdefgh") as made:
        a, f, g, h = made[0], *made[5:]

        a.tell(f, "five hops away")
        a.tell(g, "six")
        a.tell(h, "seven")
        await until(lambda: f.told and f.relays.lost >= 2)
        await quiet()

        assert f.told == ["five hops away"] and g.told == h.told == []
        assert [node.relays.lost for node in made if node is not f] == [0] * 7


def arrivals(made: list[TestNode]) -> list[tuple[str, str, tuple[str, int]]]:
    """From now on, each envelope that arrives anywhere: at whom, from which neighbour, and which one it is."""
    seen: list[tuple[str, str, tuple[str, int]]] = []
    for node in made:
        on_relay = node.dispatch[Kind.RELAY]

        def spy(
            peer: Any, message: list[Any], buffers: Any = None, here: TestNode = node, handler: Any = on_relay
        ) -> None:
            envelope = Envelope(*message)
            seen.append((here.me.name, peer.node.name, (envelope.origin[0], envelope.identity)))
            handler(peer, message, buffers)

        node.dispatch[Kind.RELAY] = spy
    return seen


async def test_among_twelve_nodes_in_a_ring_each_message_arrives_once_and_never_goes_back() -> None:
    async with line(*"abcdefghijkl") as made:
        first, last = made[0], made[-1]
        await last.connect(first.address, first.me)
        await until(lambda: last.peer(first).is_connected and first.peer(last).is_connected)
        for index, node in enumerate(made):
            near = [made[index - 1].me, made[(index + 1) % len(made)].me]
            node.neighbours = lambda near=near: near  # type: ignore[method-assign,misc]  # the overlay's say
        seen = arrivals(made)

        for node in made:
            for other in made:
                if other is not node:
                    node.tell(other, node.me.name)
        await until(lambda: all(len(node.told) >= len(made) - 1 for node in made))
        await quiet(200)

        names = sorted(node.me.name for node in made)
        for node in made:
            assert sorted(node.told) == [name for name in names if name != node.me.name], "each once"
        came_from: dict[tuple[str, tuple[str, int]], str] = {}
        for here, sender, which in seen:
            came_from.setdefault((here, which), sender)
        back = [each for each in seen if came_from.get((each[1], each[2])) == each[0]]
        assert back == [], "nobody gets back what it passed on"
        assert len({which for _, _, which in seen}) < len(seen), "some went round both ways"
