"""Entering and leaving on purpose: in the background, waited for, again and again, and put out by others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from partisan_actors.errors import AuthenticationError, ConfigError, NodeDown, NotYetConnected
from partisan_actors.transport.memory import MemoryNetwork
from partisan_actors.wire.channels import check_channels
from tests.nodes import TestNode, config_of, nodes, overlay, until

QUICK = {"load_period_s": 0.1, "overlay_options": {"shuffle_period_s": 0.2}}
MESH: dict[str, Any] = {"overlay": "full_mesh", "load_period_s": 0.1}


def live(node: TestNode) -> set[str]:
    return {record.node.name for record in node.directory.live()}


def agreed(*made: TestNode) -> bool:
    names = {node.me.name for node in made}
    return all(live(node) == names for node in made)


def knows_nobody(node: TestNode) -> bool:
    return not node.neighbours() and live(node) == {node.me.name}


def is_alone(node: TestNode) -> bool:
    """Who has not heard yet that it left may dial it, and is refused: for as long there is a connection."""
    return knows_nobody(node) and node.dialling.connection_count == 0


async def test_who_is_refused_by_one_contact_joins_through_another() -> None:
    network = MemoryNetwork()
    client = {"overlay": "client_server", "overlay_options": {"tag": "client"}, "load_period_s": 0.1}
    async with (
        overlay("s", "c", network=network, overlay="client_server", load_period_s=0.1) as (s, c),
        newcomer(network, [c.address, "nobody:1", c.address, s.address], **client) as d,
    ):
        await until(lambda: agreed(s, c, d))
        assert d.neighbours() == [s.me] and d.membership.refusal == ""


async def test_who_is_refused_by_every_contact_is_told_why() -> None:
    network = MemoryNetwork()
    client = {"overlay": "client_server", "overlay_options": {"tag": "client"}, "load_period_s": 0.1}
    async with (
        overlay("s", "c", network=network, overlay="client_server", load_period_s=0.1) as (_, c),
        newcomer(network, [c.address, "nobody:1"], **client) as d,
    ):
        await until(lambda: d.membership.refusal)
        assert "a client takes no clients" in d.membership.refusal


@asynccontextmanager
async def newcomer(network: MemoryNetwork, contacts: list[str], **settings: Any) -> AsyncIterator[TestNode]:
    """A node that joins through these contacts."""
    node = TestNode(config_of("d", **settings), network)
    await node.start(contacts)
    yield node
    await node.close(graceful=False)


async def test_join_returns_at_once_and_comes_about_in_the_background() -> None:
    async with nodes("a", "b") as (a, b):
        a.membership.join(b.address)

        assert not a.neighbours()
        await until(lambda: agreed(a, b))


async def test_join_does_not_wait_for_an_address_at_which_nobody_answers() -> None:
    network = MemoryNetwork()
    async with nodes("a", "b", network=network) as (a, b):
        network.unreachable.add(b.address)
        for _ in range(10):
            a.membership.join(b.address)
        assert a.dialling.connection_count == 0, "it is dialled later"

        network.unreachable.clear()
        await until(lambda: agreed(a, b), "it is tried again")


async def test_who_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("partisan_actors.node.membership.FIRST_S", 0.001)
    async with nodes("a") as (a,):
        a.membership.join("nobody:1")
        await until(lambda: "could not join through nobody:1" in caplog.text)
        a.membership.join("nobody:1")  # and may be asked for again


@pytest.mark.parametrize("address", ["nowhere", "", "a:b:c:d"])
async def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    async with nodes("a") as (a,):
        with pytest.raises(ConfigError, match="HOST:PORT"):
            a.membership.join(address)


async def test_a_node_does_not_join_itself() -> None:
    async with nodes("a") as (a,):
        with pytest.raises(ConfigError, match="a node does not join itself"):
            a.membership.join(a.address)
        with pytest.raises(ConfigError, match="a node does not join itself"):
            await a.membership.sync_join(a.address, 1.0)


async def test_joins_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partisan_actors.node.membership.JOINS_MAX", 2)
    async with nodes("a") as (a,):
        for number in range(2):
            a.membership.join(f"nobody:{number + 1}")
        with pytest.raises(ConfigError, match="at most 2 joins at a time"):
            a.membership.join("nobody:9")


async def test_sync_join_returns_when_every_channel_has_all_its_lanes() -> None:
    channels = check_channels({"calls": 3, "files": 2})
    async with nodes("a", "b", channels=channels) as (a, b):
        node = await a.membership.sync_join(b.address, 30.0)

        peer = a.router.peer(node)
        assert node == b.me
        assert {name: sum(lane is not None for lane in lanes) for name, lanes in peer.lanes.items()} == a.lanes
        await until(lambda: agreed(a, b))


async def test_sync_join_raises_at_its_time_out() -> None:
    async with nodes("a") as (a,):
        begun = asyncio.get_running_loop().time()
        with pytest.raises(NotYetConnected, match=r"nobody:1.*after 0.2 s"):
            await a.membership.sync_join("nobody:1", 0.2)
        assert asyncio.get_running_loop().time() - begun < 20


async def test_sync_join_to_a_stranger_is_told_at_once() -> None:
    network = MemoryNetwork()
    async with nodes("a", network=network) as (a,), nodes("b", network=network, cluster="others") as (b,):
        with pytest.raises(AuthenticationError):
            await a.membership.sync_join(b.address, 30.0)


async def test_a_contact_that_refuses_is_told_with_its_reason() -> None:
    async with nodes("a", "b") as (a, b):
        lane = a.router.peer(b.me).lanes["calls"]
        joining = asyncio.ensure_future(a.membership.sync_join(b.address, 30.0))
        a.dial = lambda peer, channel, index: None  # type: ignore[method-assign]  # so that it has to wait
        await until(lambda: b.neighbours(), "it has been asked: what was refused before is forgotten then")
        a.join_refused(b.me, "clients do not connect to clients")

        with pytest.raises(NotYetConnected, match="clients do not connect to clients"):
            await joining
        assert lane == [None] and a.membership.refusal == "clients do not connect to clients"


@pytest.mark.parametrize("settings", [QUICK, MESH], ids=["hyparview", "full_mesh"])
async def test_who_leaves_is_alone_and_the_others_agree_on_the_rest(settings: dict[str, Any]) -> None:
    told: list[tuple[str, int]] = []
    async with overlay("a", "b", "c", "d", **settings) as (a, b, c, d):
        c.on_left.append(lambda why: told.append((why, len(c.directory.live()))))
        waiting = c.ask(a, 1)

        await asyncio.wait_for(c.membership.leave(), 30)

        assert told == [("this node has left the cluster", 4)], "told before it forgot the others"
        assert knows_nobody(c)
        assert isinstance(waiting.error, NodeDown)
        await until(lambda: is_alone(c))
        await until(lambda: agreed(a, b, d), "the others agree")
        await until(lambda: a.directory.records["c"].state_name == "left")
        c.tell(c, "to myself")
        await until(lambda: c.told == ["to myself"], "it works alone")
        for _ in range(20):
            await asyncio.sleep(0.01)
            assert knows_nobody(c)


@pytest.mark.parametrize("settings", [QUICK, MESH], ids=["hyparview", "full_mesh"])
async def test_twenty_times_a_node_leaves_and_joins_through_any_other(settings: dict[str, Any]) -> None:
    async with overlay("a", "b", "c", "d", **settings) as made:
        _, _, _, d = made
        for cycle in range(20):
            await d.membership.leave()
            await until(lambda: agreed(*made[:3]), f"it is gone, cycle {cycle}")

            await d.membership.sync_join(made[cycle % 3].address, 30.0)

            await until(lambda: agreed(*made), f"it is back, cycle {cycle}")
            await until(lambda: d.neighbours() and all(d.me in n.neighbours() for n in made if n.me in d.neighbours()))


async def test_a_node_that_left_takes_nobody_in_until_it_joins() -> None:
    async with overlay("a", "b", **QUICK) as (a, b):
        await b.membership.leave()

        with contextlib.suppress(NotYetConnected, AuthenticationError):  # whichever side is told first
            await a.connect(b.address)
            a.driver.join(b.me)

        await until(lambda: b.refused_connections + b.broken_connections > 0 or not a.router.peer(b.me).is_connected)
        await until(lambda: not a.router.peer(b.me).is_connected, "what was opened is closed")
        assert knows_nobody(b)
        await until(lambda: is_alone(b))


@pytest.mark.parametrize("name", ["full_mesh", "hyparview", "xbot", "scamp_v1", "scamp_v2", "client_server"])
async def test_who_is_put_out_is_alone_and_may_come_back(name: str) -> None:
    async with overlay("a", "b", "c", overlay=name, load_period_s=0.1) as (a, b, c):
        a.membership.evict("c")

        await until(lambda: agreed(a, b), "the others agree")
        await until(lambda: is_alone(c), "it knows")
        assert c.has_left

        await c.membership.sync_join(a.address, 30.0)
        await until(lambda: agreed(a, b, c))


async def test_what_a_node_was_dialling_when_it_left_does_not_stay_open(monkeypatch: pytest.MonkeyPatch) -> None:
    async with overlay("a", "b", "c", overlay="client_server", load_period_s=0.1) as (_, b, c):
        await until(lambda: not c.peer(b).is_connected)
        may_dial, transport = asyncio.Event(), c.dialling._transport
        dial = transport.dial

        async def dial_later(*arguments: Any) -> None:
            await may_dial.wait()
            await dial(*arguments)

        monkeypatch.setattr(transport, "dial", dial_later)
        assert c.router.connect(c.peer(b)), "it is being dialled"
        await until(lambda: c.dialling.connection_count > 1)

        await c.membership.leave()
        may_dial.set()
        await until(lambda: not c.dialling._opening)

        assert knows_nobody(c)
        await until(lambda: is_alone(c))


async def test_who_is_no_neighbour_is_dialled_to_be_put_out() -> None:
    async with overlay("a", "b", "c", overlay="client_server", load_period_s=0.1) as (a, b, c):
        await until(lambda: not b.peer(c).is_connected)
        b.membership.evict("c")

        await until(lambda: agreed(a, b) and is_alone(c), "it was told")
        assert c.has_left


async def test_who_is_connected_for_calls_alone_is_told_too() -> None:
    async with overlay("a", "b", "c", overlay="client_server", load_period_s=0.1) as (a, b, c):
        await until(lambda: not b.peer(c).is_connected)
        b.tell(c, "hello")
        await until(lambda: c.told == ["hello"])
        b.membership.evict("c")

        await until(lambda: agreed(a, b) and is_alone(c), "it was told")
        assert c.has_left


async def test_only_a_known_other_can_be_put_out() -> None:
    async with overlay("a", "b", **QUICK) as (a, _):
        for name in ("z", "a"):
            with pytest.raises(ConfigError, match=f"name = '{name}' is not valid: expected another node that is up: b"):
                a.membership.evict(name)


async def test_a_list_of_some_members_joins_the_new_and_puts_nobody_out() -> None:
    network = MemoryNetwork()
    async with (
        overlay("a", "b", "c", network=network, **MESH) as (a, b, c),
        nodes("d", network=network, **MESH) as (d,),
    ):
        a.membership.update_members([b.address, d.address, a.address])

        await until(lambda: agreed(a, b, c, d))


async def test_a_list_that_replaces_puts_out_who_is_not_in_it() -> None:
    async with overlay("a", "b", "c", **MESH) as (a, b, c):
        a.membership.update_members([b.address], replace=True)

        await until(lambda: agreed(a, b) and is_alone(c))


async def test_a_list_with_something_wrong_in_it_changes_nothing() -> None:
    network = MemoryNetwork()
    async with overlay("a", "b", network=network, **QUICK) as (a, b), nodes("d", network=network, **QUICK) as (d,):
        with pytest.raises(ConfigError, match="HOST:PORT"):
            a.membership.update_members([d.address, "nowhere"], replace=True)

        assert agreed(a, b) and not d.neighbours()
