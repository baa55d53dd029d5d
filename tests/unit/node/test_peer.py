"""Tests of which lane a message takes: always the same, all of them alike, and what happens where lanes are missing."""

from __future__ import annotations

from collections import Counter

import pytest

from partisan_actors.errors import NoRoute
from partisan_actors.node.peer import Peer
from partisan_actors.wire.channels import CALLS, CONTROL, check_channels
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from tests.nodes import TestNode, config_of, nodes, until


def a_peer(node: TestNode, other: TestNode, **usable: int) -> Peer:
    peer = node.peer(other)
    peer.usable = usable
    return peer


async def test_keys_one_after_another_use_every_lane_alike() -> None:
    async with nodes("a", "b", channels=check_channels({CALLS: 4})) as (a, b):
        lanes = [a.peer(b).lane_for(CALLS, key) for key in range(16)]

        assert set(Counter(lanes).values()) == {4}


async def test_where_a_peer_has_fewer_lanes_only_the_keys_of_those_missing_move() -> None:
    async with nodes("a", "b", channels=check_channels({CALLS: 4})) as (a, b):
        full = {key: a.peer(b).lane_for(CALLS, key) for key in range(100)}
        fewer = {key: a_peer(a, b, calls=3).lane_for(CALLS, key) for key in range(100)}

        assert all(fewer[key] == full[key] for key in full if full[key][1] < 3)
        assert {index for _, index in fewer.values()} == {0, 1, 2}


async def test_loss_of_a_connection_moves_no_key_to_another_lane() -> None:
    async with nodes("a", "b", channels=check_channels({CALLS: 4})) as (a, b):
        for key in range(4):
            a.peer(b).send(pack([Kind.TELL, b"actor", "method", key]), CALLS, key)
        await until(lambda: sorted(b.told) == [0, 1, 2, 3])
        before = {key: a.peer(b).lane_for(CALLS, key) for key in range(100)}
        lost = a.peer(b).lanes[CALLS][2]
        assert lost is not None
        lost.cut(ConnectionAbortedError("a test"))

        assert {key: a.peer(b).lane_for(CALLS, key) for key in range(100)} == before
        for number in range(100):
            a.peer(b).send(pack([Kind.TELL, b"actor", "method", [number % 4, number]]), CALLS, number % 4)
        await until(lambda: len(b.told) == 104)
        for key in range(4):
            arrived = [item[1] for item in b.told[4:] if item[0] == key]
            assert arrived == list(range(key, 100, 4))


@pytest.mark.parametrize("is_known", [True, False])
async def test_what_is_for_a_channel_that_the_other_side_lacks_goes_with_the_calls(is_known: bool) -> None:
    async with nodes("a", channels=check_channels({"extra": 2})) as (a,), nodes_beside(a, "b") as b:
        if is_known:
            a.tell(b, "hello")
            await until(lambda: b.told == ["hello"])
        b.told.clear()

        for number in range(10):
            a.peer(b).send(pack([Kind.TELL, b"actor", "method", number]), "extra", 1)
        await until(lambda: len(b.told) == 10)

        assert b.told == list(range(10))
        assert a.peer(b).usable["extra"] == 0
        assert a.peer(b).lanes["extra"] == [None, None]


async def test_without_fallback_it_is_refused() -> None:
    channels = check_channels({"extra": {"fallback": False}})
    async with nodes("a", channels=channels) as (a,), nodes_beside(a, "b") as b:
        a.tell(b, "hello")
        await until(lambda: b.told)

        with pytest.raises(NoRoute, match="it has no channel 'extra'"):
            a.peer(b).send(pack([Kind.TELL, b"actor", "method", 1]), "extra", 1)


async def test_membership_never_travels_on_a_channel_of_users() -> None:
    async with nodes("a", "b", channels=check_channels({"extra": 1})) as (a, b):
        a.driver.join(b.me)
        await until(lambda: b.me in a.neighbours() and a.me in b.neighbours())

        assert a.peer(b).lanes[CONTROL][0] is not None
        assert a.peer(b).lanes["extra"] == [None] and a.peer(b).calls is None


def nodes_beside(a: TestNode, name: str) -> _Beside:
    """A node with the built-in channels on the same network, which knows `a` and is known to it."""
    return _Beside(a, name)


class _Beside:
    def __init__(self, a: TestNode, name: str) -> None:
        self._a = a
        self._node = TestNode(config_of(name), a.dialling._transport._network)  # type: ignore[attr-defined]  # of the memory

    async def __aenter__(self) -> TestNode:
        await self._node.start()
        self._node.introduce(self._a)
        self._a.introduce(self._node)
        return self._node

    async def __aexit__(self, *error: object) -> None:
        await self._node.close()


MONOTONIC = {"state": {"monotonic": True}, "wide": {"monotonic": True, "parallelism": 2}}


def tell_newest(a: TestNode, b: TestNode, value: object, key: str, channel: str = "state", lane: int = 0) -> None:
    a.peer(b).send_newest(pack([Kind.TELL, b"actor", "method", value]), None, channel, lane, key)


async def test_while_a_lane_is_dialled_a_later_message_takes_the_place_of_one_of_its_key() -> None:
    async with nodes("a", "b", channels=check_channels(MONOTONIC)) as (a, b):
        for number in range(100):
            tell_newest(a, b, ["x", number], "x")
            tell_newest(a, b, ["y", number], "y")
            if number == 50:
                a.peer(b).send(pack([Kind.TELL, b"actor", "method", "plain"]), "state")
        assert len(a.peer(b).waiting["state", 0]) == 3
        await until(lambda: len(b.told) == 3)

        assert b.told == [["x", 99], ["y", 99], "plain"]


async def test_what_has_waited_for_its_lane_is_superseded_until_it_is_written() -> None:
    async with nodes("a", "b", channels=check_channels(MONOTONIC)) as (a, b):
        tell_newest(a, b, 1, "x")
        opened = a.router._host.lane_opened
        late: list[int] = []

        def lane_opened(peer: Peer, connection: object) -> None:
            opened(peer, connection)  # type: ignore[arg-type]  # it is one
            # In the same turn of the loop, and behind what has waited.
            a.loop.call_soon(lambda: (late.append(2), tell_newest(a, b, 2, "x")))
            connection.is_paused = True  # type: ignore[attr-defined]  # a slow peer, for a turn
            a.loop.call_soon(connection._go_on)  # type: ignore[attr-defined]  # as above

        a.router._host.lane_opened = lane_opened  # type: ignore[method-assign]  # a spy
        await until(lambda: late and b.told)

        assert b.told == [2]


async def test_lanes_and_moments_do_not_mix_in_what_waits() -> None:
    async with nodes("a", "b", channels=check_channels(MONOTONIC)) as (a, b):
        for number in range(10):
            tell_newest(a, b, ["even", number], "x", "wide", 0)
            tell_newest(a, b, ["odd", number], "x", "wide", 1)
        await until(lambda: len(b.told) == 2)
        assert sorted(b.told) == [["even", 9], ["odd", 9]]

        tell_newest(a, b, "again", "x", "wide", 0)
        await until(lambda: len(b.told) == 3)
