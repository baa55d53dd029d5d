"""Acknowledged messages between whole nodes, whatever happens to what carries them; and causal labels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from partisan_actors.errors import ConfigError, NodeDown, Overloaded, PartisanError, ProtocolError, Unacknowledged
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.delivery_options import DeliveryOptions
from partisan_actors.node.router import Peer
from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.frames import Kind
from tests.nodes import Answer, TestNode, nodes, quiet, until

FAST = {"retransmit_s": 0.02, "retransmit_longest_s": 0.05}
# The names of two streams.
PLAIN = pack(["calls", 0, None])
STAMPED = pack(["calls", 0, "x"])
# What is sent again then is not sent again because of the time.
PATIENT = {"retransmit_s": 1000.0, "retransmit_longest_s": 1000.0}


class Outcome:
    """What becomes of a message."""

    def __init__(self) -> None:
        self.is_acknowledged = False
        self.error: PartisanError | None = None

    def acknowledged(self) -> None:
        self.is_acknowledged = True

    def given_up(self, error: PartisanError) -> None:
        self.error = error


@asynccontextmanager
async def some(*names: str, **settings: Any) -> AsyncIterator[list[TestNode]]:
    """Nodes that send again soon, and are otherwise quiet."""
    bounds = {name: settings.pop(name) for name in list(settings) if name in DeliveryOptions.__slots__}
    defaults = {"delivery": {**FAST, **bounds}, "keep_alive_s": 1000.0, "load_period_s": 1000.0}
    async with nodes(*names, **{**defaults, **settings}) as made:
        yield made


def tell(node: TestNode, other: TestNode, value: Any, **options: Any) -> Outcome:
    """Send an acknowledged message, which the other writes down."""
    outcome = Outcome()
    node.delivery.send(
        node.peer(other),
        pack([Kind.TELL, b"actor", "method", value]),
        acknowledged=outcome.acknowledged,
        given_up=outcome.given_up,
        **options,
    )
    return outcome


def ask(node: TestNode, other: TestNode, number: int) -> Answer:
    answer = Answer()
    node.delivery.ask(node.peer(other), number, answer, pack([Kind.CALL, number, b"actor", "method"]))
    return answer


def drop(node: TestNode, kind: int, is_dropped: Callable[[Peer, list[Any]], bool]) -> list[list[Any]]:
    """From now on, messages of that kind for which `is_dropped` says so do not reach the node. Returns all of them."""
    seen: list[list[Any]] = []
    handler = node.dispatch[kind]

    def look(peer: Peer, message: list[Any], buffers: Any = None) -> None:
        seen.append(message)
        if not is_dropped(peer, message):
            handler(peer, message) if buffers is None else handler(peer, message, buffers)

    node.dispatch[kind] = look
    return seen


async def test_a_message_is_kept_until_it_is_acknowledged() -> None:
    async with some("a", "b") as (a, b):
        outcome = tell(a, b, 1)
        assert a.delivery.outstanding == 1

        await until(lambda: outcome.is_acknowledged)

        assert b.told == [1]
        assert a.delivery.outstanding == 0


@pytest.mark.parametrize("lost", [1, 3])
async def test_when_the_first_copies_are_lost_it_arrives_once_all_the_same(lost: int) -> None:
    async with some("a", "b") as (a, b):
        seen = drop(b, Kind.ACKED, lambda peer, m: len(seen) <= lost)

        outcome = tell(a, b, 1)
        await until(lambda: outcome.is_acknowledged)

        assert b.told == [1]
        assert len(seen) > lost and a.delivery.outstanding == 0


async def test_when_acknowledgements_are_lost_the_copies_are_not_handed_on() -> None:
    async with some("a", "b") as (a, b):
        acks = drop(a, Kind.ACK, lambda peer, m: len(acks) <= 2)
        copies = drop(b, Kind.ACKED, lambda peer, m: False)

        outcome = tell(a, b, 1)
        await until(lambda: outcome.is_acknowledged)

        assert b.told == [1]
        assert len(copies) >= 3


async def test_messages_keep_their_order_whichever_is_lost() -> None:
    async with some("a", "b") as (a, b):
        drop(b, Kind.ACKED, lambda peer, m: m[4] % 3 == 0 and b.rng.random() < 0.5)

        outcomes = [tell(a, b, value) for value in range(30)]
        await until(lambda: all(each.is_acknowledged for each in outcomes))

        assert b.told == list(range(30))


async def test_what_is_on_a_connection_that_breaks_is_sent_again_on_the_next_one_and_in_order() -> None:
    async with some("a", "b", **PATIENT) as (a, b):
        outcomes = []
        for value in range(200):
            outcomes.append(tell(a, b, value))
            if value % 20 == 10:
                await quiet(value % 7)
                for connection in a.peer(b).connections():
                    connection.abort(ConnectionResetError("of the test"))

        await until(lambda: all(each.is_acknowledged for each in outcomes))

        assert b.told == list(range(200))
        assert a.delivery.sent_again > 0
        assert a.delivery.outstanding == 0


async def test_a_message_goes_through_the_overlay_and_what_is_lost_there_is_sent_again() -> None:
    async with some("a", "b", "c", routing="relay") as made:
        a, b, c = made
        for node, after in pairwise(made):
            await node.connect(after.address, after.me)
        await until(lambda: all(y.peer(x).is_connected for x, y in pairwise(made)))
        for node, near in ((a, [b.me]), (b, [a.me, c.me]), (c, [b.me])):
            node.neighbours = lambda near=near: near  # type: ignore[method-assign,misc]  # the overlay's say
        lost = drop(b, Kind.RELAY, lambda peer, m: len(lost) <= 2)

        outcome = tell(a, c, "far")
        await until(lambda: outcome.is_acknowledged)

        assert c.told == ["far"]
        assert not a.peer(c).is_connected


async def test_buffers_go_along_and_are_sent_again_with_the_message() -> None:
    async with some("a", "b") as (a, b):
        got: list[Any] = []
        b.dispatch[Kind.TELL] = lambda peer, m, buffers=None: got.append([bytes(each) for each in buffers])
        seen = drop(b, Kind.ACKED, lambda peer, m: len(seen) <= 1)

        message = pack([Kind.TELL, b"actor", "method"])
        a.delivery.send(a.peer(b), message, [b"x" * 100_000, bytearray(b"y" * 10)])

        await until(lambda: got == [[b"x" * 100_000, b"y" * 10]])


async def test_a_node_that_takes_nothing_is_given_up_and_what_comes_later_arrives() -> None:
    async with some("a", "b", give_up_s=1.0) as (a, b):
        is_deaf = True
        drop(b, Kind.ACKED, lambda peer, m: is_deaf)

        outcome = tell(a, b, "lost")
        await until(lambda: outcome.error is not None)
        is_deaf = False

        assert isinstance(outcome.error, Unacknowledged)
        assert a.delivery.given_up == 1
        later = tell(a, b, "later")
        await until(lambda: later.is_acknowledged)
        assert b.told == ["later"]


async def test_when_a_node_is_down_whoever_waits_is_told() -> None:
    async with some("a", "b") as (a, b):
        drop(b, Kind.ACKED, lambda peer, m: True)
        outcome, answer = tell(a, b, 1), ask(a, b, 1)

        a.router.mark_down(b.me, "said the test")

        assert isinstance(outcome.error, NodeDown)
        assert isinstance(answer.error, NodeDown)
        with pytest.raises(NodeDown):
            tell(a, b, 2)
        assert a.delivery.outstanding == 0


async def test_at_the_bound_a_message_is_refused_and_nothing_else_changes() -> None:
    async with some("a", "b", "c", messages_max=3) as (a, b, c):
        drop(b, Kind.ACKED, lambda peer, m: True)
        for value in range(3):
            tell(a, b, value)

        with pytest.raises(Overloaded):
            tell(a, b, 3)

        to_another = tell(a, c, "live")
        await until(lambda: to_another.is_acknowledged)
        assert a.delivery.outstanding == 3


async def test_a_call_and_its_answer_survive_connections_that_break() -> None:
    async with some("a", "b", **PATIENT) as (a, b):
        answers = [ask(a, b, number) for number in range(1, 11)]
        await until(lambda: len(b.asked) == 10)
        for connection in a.peer(b).connections():
            connection.abort(ConnectionResetError("of the test"))
        await quiet()

        b.answer_all()
        await until(lambda: all(each.done() for each in answers))

        assert [each.value for each in answers] == list(range(1, 11))
        assert not a.peer(b).pending


async def test_an_answer_that_the_other_end_gave_up_is_waited_for_no_more() -> None:
    async with some("a", "b", give_up_s=0.1) as (a, b):
        is_deaf = True
        drop(a, Kind.ACKED, lambda peer, m: is_deaf)
        answer = ask(a, b, 1)
        await until(lambda: b.asked)

        b.answer_all()
        await until(lambda: b.delivery.given_up)
        is_deaf = False

        await until(answer.done)
        assert isinstance(answer.error, Unacknowledged)


async def test_to_the_node_itself_it_is_handed_over_and_acknowledged() -> None:
    async with some("a") as (a,):
        outcome = tell(a, a, 1)
        assert a.told == []

        await until(lambda: outcome.is_acknowledged)

        assert a.told == [1]


async def test_in_the_triangle_the_slow_message_is_handed_on_first() -> None:
    async with some("a", "b", "c", causal_labels=["x", "y"]) as (a, b, c):
        is_slow = True
        held = drop(c, Kind.ACKED, lambda peer, m: is_slow and peer.node == a.me and unpack(m[1])[2] == "x")
        tell(a, c, "the question", label="x")
        tell(a, b, "news", label="x")
        await until(lambda: b.told == ["news"])
        answer = tell(b, c, "the answer", label="x")
        for sender in (a, b):
            tell(sender, c, "of another label", label="y")
            tell(sender, c, "of none")
        await until(lambda: answer.is_acknowledged and len(c.told) == 4)

        assert held
        assert sorted(c.told) == ["of another label"] * 2 + ["of none"] * 2
        is_slow = False
        await until(lambda: len(c.told) == 6)

        assert c.told[4:] == ["the question", "the answer"]
        machines = [node.delivery.labels.machine("x") for node in (a, b, c)]
        await until(lambda: not any(machine is None or machine.dependency_count for machine in machines), "all settled")


async def test_who_went_down_is_not_waited_for() -> None:
    async with some("a", "b", "c", causal_labels=["x"]) as (a, b, c):
        drop(c, Kind.ACKED, lambda peer, m: peer.node == a.me)
        tell(a, c, "never arrives", label="x")
        tell(a, b, "news", label="x")
        await until(lambda: b.told == ["news"])
        tell(b, c, "the answer", label="x")
        await quiet()
        assert c.told == []

        c.router.mark_down(a.me, "said the test")

        await until(lambda: c.told == ["the answer"])


async def test_what_was_given_up_is_not_waited_for() -> None:
    async with some("a", "b", "c", causal_labels=["x"], give_up_s=1.0) as (a, b, c):
        drop(c, Kind.ACKED, lambda peer, m: peer.node == a.me and m[5] is not None)
        outcome = tell(a, c, "never arrives", label="x")
        tell(a, b, "news", label="x")
        await until(lambda: b.told == ["news"])
        tell(b, c, "the answer", label="x")

        await until(lambda: c.told == ["the answer"])

        assert isinstance(outcome.error, Unacknowledged)


async def test_a_label_that_this_node_does_not_have_is_refused_here() -> None:
    async with some("a", "b", causal_labels=["x"]) as (a, b):
        with pytest.raises(ConfigError, match="'y'"):
            tell(a, b, 1, label="y")

        assert a.delivery.outstanding == 0


async def test_a_label_that_the_other_node_does_not_have_harms_nobody() -> None:
    async with some("a", "b", causal_labels=["x"]) as (a, b):
        b.delivery.labels._machines.clear()
        refused: list[str] = []
        b.delivery.on_unknown_label = lambda peer, message, label: refused.append(label)

        tell(a, b, "under a label", label="x")
        plain = tell(a, b, "under none")
        await until(lambda: plain.is_acknowledged)

        assert (b.told, refused) == (["under none"], ["x"])
        await until(lambda: a.delivery.labels.describe()["x"]["dependencies"] == 0)


@pytest.mark.parametrize(
    "message",
    [
        [Kind.ACKED, PLAIN, 1, 1],
        [Kind.ACKED, PLAIN, "one", 1, 1, None, None],
        [Kind.ACKED, PLAIN, 1, 1, 1, 5, None],
        [Kind.ACKED, ["calls", 0, None], 1, 1, 1, None, None],
        [Kind.ACKED, None, 1, 1, 1, None, None],
        [Kind.ACKED, b"\xc1", 1, 1, 1, None, None],
        [Kind.ACKED, pack(["calls", 999, None]), 1, 1, 1, None, None],
        [Kind.ACKED, pack(["no such channel", 0, None]), 1, 1, 1, None, None],
        [Kind.ACKED, pack(["calls", 0]), 1, 1, 1, None, None],
        [Kind.ACKED, pack(["calls", 0, 5]), 1, 1, 1, [1, 0, None], None],
        [Kind.ACKED, pack(["calls", 0, "x" * 1000]), 1, 1, 1, [1, 0, None], None],
        [Kind.ACKED, STAMPED, 1, 1, 1, None, None],
        [Kind.ACKED, STAMPED, 1, 1, 1, [0, 0, None], None],
        [Kind.ACKED, STAMPED, 1, 1, 1, [1, 1, None], None],
        [Kind.ACKED, STAMPED, 1, 1, 1, [1, 0], None],
        [Kind.ACKED, STAMPED, 1, 1, 1, [1, 0, "x"], None],
        [Kind.ACKED, STAMPED, 1, 1, 1, [1, 0, pack([[["n", 1]], [0, 7, 1]])], None],
        [Kind.ACKED, STAMPED, 1, 1, 1, [1, 0, pack([[["n", 1]], [0]])], None],
        [Kind.ACKED, STAMPED, 1, 1, 1, [1, 0, pack([[["n", 1]], [0, 0, "1"]])], None],
        [Kind.ACKED, STAMPED, 1, 1, 1, [1, 0, pack([[[1, "n"]], [0, 0, 1]])], None],
    ],
)
async def test_what_makes_no_sense_is_refused_by_an_error_that_closes_the_connection(message: list[Any]) -> None:
    async with some("a", "b", causal_labels=["x"]) as (a, b):
        with pytest.raises((ProtocolError, ValueError, TypeError, IndexError)):
            b.delivery.on_acked(b.peer(a), message)

        assert b.told == []


async def test_an_acknowledged_message_that_cannot_be_handled_costs_no_other() -> None:
    async with some("a", "b") as (a, b):
        for nonsense in (pack(5), pack([Kind.RELAY]), pack([99]), pack([]), pack(["call"])):
            a.delivery.send(a.peer(b), nonsense)
        after = tell(a, b, "after")

        await until(lambda: after.is_acknowledged)

        assert b.told == ["after"]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"give_up_s": 0}, "delivery"),
        ({"tries": 3}, "delivery"),
        (5, "delivery"),
        ({"causal_wait_s": -1}, "delivery"),
        ({"causal_labels": "x"}, "causal_labels"),
        ({"causal_labels": ["not a label"]}, "causal_labels"),
        ({"causal_labels": [f"l{number}" for number in range(65)]}, "causal_labels"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: Any, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        NodeConfig(delivery=settings)

    assert caught.value.field == field
