"""Topics of real nodes over memory: who hears what, over which channel, and what one bad subscriber spoils."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from partisan_actors.errors import ConfigError, Overloaded
from partisan_actors.ids import NodeId
from partisan_actors.node import topics as topics_module
from partisan_actors.node.topics import topic_channel
from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.transport.backlog import CLOGGED_BYTES
from partisan_actors.wire.channels import check_channels
from tests.nodes import TestNode, overlay, quiet, until
from tests.notes import Notes

NAMES = [f"n{number:02}" for number in range(16)]


def listen(node: TestNode, topic: str = "news") -> list[Any]:
    heard: list[Any] = []
    node.subscribe(topic, lambda origin, payload: heard.append(payload))
    return heard


@asynccontextmanager
async def settled(*names: str, **settings: Any) -> AsyncIterator[list[TestNode]]:
    """Nodes of which nobody takes a neighbour from anybody any more.

    In HyParView, who has fewer than that asks with high priority, and may have the place of somebody's only neighbour:
    who is alone for a moment misses what is broadcast then.
    """
    fewest = min(HyParViewOptions().active_min, len(names) - 1)
    async with overlay(*names, **settings) as made:
        await until(lambda: all(len(node.neighbours()) >= fewest for node in made), "everybody has enough neighbours")
        yield made


@pytest.mark.parametrize("overlay_name", ["hyparview", pytest.param("full_mesh", marks=pytest.mark.slow)])
async def test_sixteen_nodes_hear_a_thousand_broadcasts_from_random_roots_exactly_once(overlay_name: str) -> None:
    # With places for everybody nobody loses a neighbour: while those are exchanged, a broadcast may be missed.
    options = {"active_max": 15, "active_min": 1} if overlay_name == "hyparview" else {}
    async with settled(*NAMES, overlay=overlay_name, overlay_options=options) as made:
        heard = [listen(node) for node in made]
        rng = random.Random(7)
        origins = [rng.randrange(16) for _ in range(1000)]

        expected: list[list[int]] = [[] for _ in made]
        for number, origin in enumerate(origins):
            made[origin].broadcast("news", number)
            for want in (want for me, want in enumerate(expected) if me != origin):
                want.append(number)
            if number % 20 == 0:
                await quiet(1)
            if number % 250 == 249:  # nodes keep a thousand for who asks, their own news among them
                await until(lambda: all(len(got) >= len(want) for got, want in zip(heard, expected, strict=True)))

        assert [sorted(got) for got in heard] == expected


async def test_subscribers_learn_who_broadcast() -> None:
    async with settled("a", "b", "c") as (a, b, c):
        heard: list[tuple[NodeId, Any]] = []
        c.subscribe("news", lambda origin, payload: heard.append((origin, payload)))

        a.broadcast("news", {"from": "a"})
        b.broadcast("news", ["b"])

        await until(lambda: len(heard) == 2)
        assert sorted(heard, key=lambda each: each[0]) == [(a.me, {"from": "a"}), (b.me, ["b"])]


async def test_the_origin_hears_itself_only_when_it_wants_to() -> None:
    async with settled("a", "b") as (a, b):
        mine, theirs = listen(a), listen(b)

        a.broadcast("news", 1)
        a.topics.broadcast("news", 2, to_self=True)

        await until(lambda: theirs == [1, 2])
        assert mine == [2]


async def test_topics_do_not_meet_each_other_or_what_nodes_tell_each_other() -> None:
    async with settled("a", "b") as (a, b):
        exchange, news, deep = listen(b, "exchange"), listen(b, "news"), listen(b, "a/b")

        a.broadcast("exchange", [1])
        a.broadcast("a/b", "slash")
        a.broadcast("news", "last")

        await until(lambda: news == ["last"])
        assert (exchange, deep) == ([[1]], ["slash"])
        assert b.driver.stack.exchange.dropped == 0  # type: ignore[union-attr]  # a real node has one


async def test_who_has_unsubscribed_hears_no_more_and_others_go_on() -> None:
    async with settled("a", "b") as (a, b):
        first: list[Any] = []
        unsubscribe = b.subscribe("news", lambda origin, payload: first.append(payload))
        second = listen(b)
        a.broadcast("news", 1)
        await until(lambda: second == [1])

        unsubscribe()
        unsubscribe()
        a.broadcast("news", 2)

        await until(lambda: second == [1, 2])
        assert first == [1]


async def test_a_subscriber_that_raises_is_counted_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def broken(origin: NodeId, payload: Any) -> None:
        raise RuntimeError("broken")

    async with settled("a", "b", "c") as (a, b, c):
        b.subscribe("news", broken)
        heard = [listen(b), listen(c)]

        for number in range(3):
            a.broadcast("news", number)

        await until(lambda: heard == [[0, 1, 2], [0, 1, 2]])
        assert b.topics.failed == 3
        assert "a subscriber of topic 'news' raised" in caplog.text


async def test_payloads_travel_on_the_channel_that_was_asked_for() -> None:
    channels = check_channels({"gossip": 2})
    async with settled("a", "b", channels=channels) as (a, b):
        heard = listen(b)
        a.topics.broadcast("news", b"." * 5000, channel="gossip")
        await until(lambda: len(heard) == 1, "the channel is open")
        before = bytes_out(a, b)

        a.topics.broadcast("news", b"." * 50_000, channel="gossip")
        await until(lambda: len(heard) == 2)

        after = bytes_out(a, b)
        assert after["gossip"] - before["gossip"] > 50_000
        assert all(after[name] - before[name] < 5_000 for name in after if name != "gossip")


def bytes_out(node: TestNode, other: TestNode) -> dict[str, int]:
    return {
        name: sum(lane.bytes_out for lane in lanes if lane is not None)
        for name, lanes in node.peer(other).lanes.items()
    }


def test_a_topic_of_the_wire_says_its_channel_and_the_nodes_own_have_none() -> None:
    assert topic_channel("user/bulk/news") == "bulk"
    assert topic_channel("state/broadcast/a/b") == "broadcast"
    assert topic_channel("exchange") is None


async def test_a_bad_topic_channel_or_payload_is_refused_before_anything_is_sent() -> None:
    async with settled("a", "b") as (a, b):
        heard = listen(b)

        for topic in ("", "x" * 201, 7):
            with pytest.raises(ConfigError, match="topic"):
                a.broadcast(topic, 1)  # type: ignore[arg-type]  # the point of the test
            with pytest.raises(ConfigError, match="topic"):
                a.subscribe(topic, lambda origin, payload: None)  # type: ignore[arg-type]  # the same
        with pytest.raises(ConfigError, match="one of control, calls"):
            a.topics.broadcast("news", 1, channel="none")
        with pytest.raises(TypeError):
            a.broadcast("news", object())
        a.broadcast("news", "good")

        await until(lambda: heard == ["good"])


async def test_there_is_a_bound_to_subscribers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics_module, "SUBSCRIBERS_MAX", 2)
    async with overlay("a") as (a,):
        listen(a, "one")
        unsubscribe = a.subscribe("two", lambda origin, payload: None)

        with pytest.raises(ConfigError, match="at most 2"):
            listen(a, "three")
        unsubscribe()
        listen(a, "three")


async def test_while_a_neighbour_reads_too_slowly_nothing_more_is_broadcast() -> None:
    async with settled("a", "b") as (a, b):
        heard = listen(b)
        a.broadcast("news", 1)
        await until(lambda: heard == [1])
        lane = a.peer(b).lanes["broadcast"][0]
        assert lane is not None
        lane.pause_writing()
        lane._queued = CLOGGED_BYTES + 1

        with pytest.raises(Overloaded):
            a.broadcast("news", 2)
        lane.resume_writing()
        lane._queued = 0
        a.broadcast("news", 3)

        await until(lambda: heard == [1, 3])


async def test_a_full_queue_loses_a_broadcast_and_not_the_neighbour() -> None:
    async with settled("a", "b") as (a, b):
        heard = listen(b)
        a.broadcast("news", 1)
        await until(lambda: heard == [1])
        lane = a.peer(b).lanes["broadcast"][0]
        assert lane is not None
        lane.pause_writing()
        lane._queued = lane.queue_bytes_max + 1

        a.topics.send("news", 2, "broadcast", to_self=False)
        lane._queued = 0
        lane.resume_writing()
        a.broadcast("news", 3)

        await until(lambda: heard == [1, 3])
        assert a.driver.dropped >= 1
        assert (a.lost, list(a.neighbours())) == ([], [b.me])


# State of users.


async def test_a_handler_of_somebody_elses_merges_what_is_broadcast_on_its_channel() -> None:
    channels = check_channels({"gossip": 1})
    async with settled("a", "b", "c", channels=channels) as made:
        notes = [Notes("notes", "gossip") for _ in made]
        for node, kept in zip(made, notes, strict=True):
            node.topics.add_handler(kept)
        a, b, _ = made

        a.topics.broadcast_state("notes", ("long", "." * 20_000))
        b.topics.broadcast_state("notes", ("two", 2))

        await until(lambda: all(set(kept.held) == {"long", "two"} for kept in notes))
        assert [kept.merges.count("long") for kept in notes] == [0, 1, 1]
        assert sum(bytes_out(a, node)["gossip"] for node in made[1:]) > 20_000


async def test_what_a_handler_missed_comes_by_exchange() -> None:
    async with settled("a", "b") as (a, b):
        mine, theirs = Notes(one=1), Notes(two=2)
        a.topics.add_handler(mine)
        b.topics.add_handler(theirs)

        a.driver._tell(a.driver.stack.timer_fired, "handlers:period")

        await until(lambda: mine.held == theirs.held == {"one": 1, "two": 2})
        await until(lambda: a.topics.exchanges == [])


async def test_a_handler_whose_payload_is_not_plain_is_named_and_the_node_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Odd(Notes):
        def broadcast_data(self, data: Any) -> Any:
            return 1, object()

    async with settled("a", "b") as (a, b):
        heard = listen(b)
        a.topics.add_handler(Odd("odd"))

        a.topics.broadcast_state("odd", None)
        a.broadcast("news", 1)

        await until(lambda: heard == [1])
        assert a.driver.unencodable == 1
        assert "plumtree.gossip could not be sent" in caplog.text


async def test_a_handler_that_raises_is_named_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Notes):
        def merge(self, message_id: Any, payload: object) -> bool:
            raise RuntimeError("broken")

    async with settled("a", "b") as (a, b):
        a.topics.add_handler(Notes())
        b.topics.add_handler(Broken())
        heard = listen(b)

        a.topics.broadcast_state("notes", ("one", 1))
        a.broadcast("news", 1)

        await until(lambda: heard == [1])
        assert "the broadcast handler of 'notes' raised in merge" in caplog.text


async def test_exchanges_can_be_cancelled_and_handlers_removed() -> None:
    async with settled("a", "b") as (a, _):
        # Nobody answers: the other side has no handler.
        remove = a.topics.add_handler(Notes())
        a.driver._tell(a.driver.stack.timer_fired, "handlers:period")
        assert [ref.topic for ref in a.topics.exchanges] == ["notes"]

        a.topics.cancel_exchanges(topic="other")
        assert len(a.topics.exchanges) == 1
        a.topics.cancel_exchanges()
        assert a.topics.exchanges == []

        remove()
        with pytest.raises(ConfigError, match="one with a handler: none"):
            a.topics.broadcast_state("notes", ("one", 1))
