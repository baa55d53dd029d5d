"""Tests of a node's standing: it announces itself, refutes what is false, and what is down is told to everybody."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node import presence as presence_module
from partisan_actors.node.directory import DOWN, LEFT, PREFIX, UP
from partisan_actors.transport.memory import MemoryNetwork
from partisan_actors.transport.superseding import Waiting
from partisan_actors.wire.channels import BROADCAST
from partisan_actors.wire.codec import pack
from tests.nodes import TestNode, config_of, nodes, overlay, quiet, until

QUICK = {"load_period_s": 0.01}


def record_of(watcher: TestNode, node: TestNode) -> Any:
    """What one node knows of another."""
    return watcher.directory.find(node.me)


async def test_everybody_hears_of_everybody_and_of_what_changes() -> None:
    async with overlay("a", "b", "c", **QUICK) as made:
        a, b, c = made
        b.describe_load = lambda: {"actors": 7, "total": {"num_cpus": 2.0}}

        await until(lambda: all(record_of(node, b).actors == 7 for node in made))

        assert record_of(a, b).total == {"num_cpus": 2.0}
        assert record_of(c, b).addresses == (b.address,)


async def test_a_record_that_says_nothing_new_is_not_written_again() -> None:
    async with overlay("a", "b", **QUICK, keep_alive_s=0.0) as (a, b):
        await until(lambda: record_of(a, b).neighbours == ("a",) and record_of(b, a).neighbours == ("b",))
        sweeps: list[int] = []
        b.on_sweep.append(lambda: sweeps.append(1))
        stamp = a.directory.stamps["b"]

        await until(lambda: len(sweeps) >= 5, "five periods of load")

        assert a.directory.stamps["b"] == stamp


async def test_a_node_that_is_said_to_be_down_refutes_it() -> None:
    async with overlay("a", "b", "c", **QUICK) as made:
        a, b, _ = made
        stamp, record = a.directory.stamps["b"], record_of(a, b)

        a.write(PREFIX + "b", (stamp[0], stamp[1], DOWN), record.packed())
        assert not a.directory.is_up(b.me)

        await until(lambda: all(node.directory.is_up(b.me) for node in made))
        assert a.directory.stamps["b"][1] > stamp[1]


async def test_a_node_that_leaves_says_so() -> None:
    async with overlay("a", "b", "c") as made:
        a, b, c = made
        whys: list[str] = []
        a.directory.on_down.append(lambda record, why: whys.append(why))

        await b.close()

        await until(lambda: record_of(a, b).state_name == record_of(c, b).state_name == "left")
        assert whys == ["it left the cluster"]
        assert a.peer(b).down == "it left the cluster"


@pytest.mark.parametrize("stops", [True, False])
async def test_a_node_that_leaves_says_so_although_its_broadcast_lane_is_still_being_opened(stops: bool) -> None:
    async with overlay("a", "b") as (a, b):
        whys: list[str] = []
        a.directory.on_down.append(lambda record, why: whys.append(why))
        to_a = b.peer(a)
        to_a.lanes[BROADCAST] = [None] * len(to_a.lanes[BROADCAST])
        to_a.waiting[BROADCAST, 0] = Waiting()  # the dial that never ends

        await (b.close() if stops else b.membership.leave())

        await until(lambda: whys)
        assert whys == ["it left the cluster"]


async def test_a_node_that_dies_is_found_out_by_its_neighbours_and_told_to_everybody() -> None:
    network = MemoryNetwork()
    async with overlay("a", "b", "c", "d", network=network) as made:
        *others, victim = made
        network.unreachable.add(victim.address)
        victim.driver.close()

        for connection in list(victim.dialling._connections):
            connection.abort(ConnectionResetError("it died"))

        await until(lambda: all(not node.directory.is_up(victim.me) for node in others))
        assert all(record_of(node, victim).state_name == "down" for node in others)
        assert all(node.directory.is_up(each.me) for node in others for each in others)


async def test_a_connection_that_breaks_between_nodes_that_live_ends_nobody() -> None:
    async with overlay("a", "b", "c", **QUICK) as made:
        a, b, _ = made
        downs: list[str] = []
        for node in made:
            node.directory.on_down.append(lambda record, why: downs.append(record.node.name))

        for connection in list(a.peer(b).open):
            connection.abort(ConnectionResetError("a cable was pulled"))

        await until(lambda: a.peer(b).is_connected and b.peer(a).is_connected)
        await asyncio.sleep(0)
        assert downs == []
        assert all(node.directory.is_up(each.me) for node in made for each in made)


async def test_a_neighbour_that_went_down_before_its_record_came_is_declared_down_when_it_comes() -> None:
    async with overlay("a", "b", "c", **QUICK) as made:
        a, b, _ = made
        newcomer = NodeId("x", 1)
        a.neighbour_down(newcomer, failed=True)
        await until(lambda: a.router.peer(newcomer).down)

        b.write(PREFIX + "x", (1, 1, UP), pack({**record_of(a, b).plain(), "incarnation": 1, "addresses": ["x:1"]}))

        await until(lambda: all(node.directory.stamps.get("x") == (1, 1, DOWN) for node in made))


async def test_in_a_large_cluster_nodes_take_turns_to_tell_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_module, "PROMPT_NODES", 1)
    monkeypatch.setattr(presence_module, "RECORDS_PER_S", 20.0)
    async with overlay("a", "b", "c", "d", "e", **QUICK) as made:
        a, b = made[:2]
        turns = presence_module.PROMPT_NODES + 4
        begun, first = a.loop.time(), a.directory.stamps["b"][1]
        actors = itertools.count()
        b.describe_load = lambda: {"actors": next(actors)}  # something new each time it is asked

        await until(lambda: a.directory.stamps["b"][1] >= first + 5)

        # Four others: a turn is four records at 20 a second. The first may be due at once.
        assert a.loop.time() - begun >= 4 * (turns - 1) / 20.0 * 0.9


async def test_refutations_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_module, "PROMPT_NODES", -1_000_000)
    async with overlay("a", "b", **QUICK) as (a, b):
        stamp, record = a.directory.stamps["b"], record_of(a, b)

        a.write(PREFIX + "b", (stamp[0], stamp[1], DOWN), record.packed())

        await until(lambda: a.directory.is_up(b.me))


@pytest.mark.parametrize(("most", "is_gathered"), [(1, True), (32, False)])
async def test_what_is_said_of_others_is_gathered_in_a_large_cluster_and_told_at_once_in_a_small_one(
    most: int, is_gathered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence_module, "GATHERED_MAX", most)
    async with overlay("a", "b", "c", **QUICK) as made:
        a, b, c = made
        written: list[tuple[str, bool]] = []
        write = a.write

        def noted(key: str, stamp: tuple[int, ...], value: object, *, gather: bool = False) -> None:
            written.append((key, gather))
            write(key, stamp, value, gather=gather)

        a.write = noted  # type: ignore[method-assign]  # to see what it is asked
        await b.close(graceful=False)

        await until(lambda: not a.directory.is_up(b.me) and not c.directory.is_up(b.me))
        a._presence.tell_suspicion(c.me)

        assert {gather for key, gather in written if key != PREFIX + "a"} == {is_gathered}


async def test_who_had_no_neighbour_to_hear_of_it_tells_its_record_again_to_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence_module, "FIRST_NEIGHBOUR_S", 0.0)
    network = MemoryNetwork()
    async with overlay("a", network=network, load_period_s=1000.0) as (a,):
        b = TestNode(config_of("b", load_period_s=1000.0), network)
        b.driver.join = lambda contact: None  # type: ignore[method-assign]  # the contact has no time yet
        await b.start([a.address])
        await until(lambda: b.directory.stamps)
        first = b.directory.stamps["b"]

        del b.driver.join
        b.driver.join(a.me)

        await until(lambda: a.directory.stamps.get("b", (0, 0))[1] > first[1])
        await b.close(graceful=False)


async def test_what_is_refuted_is_told_again_when_nobody_is_left_who_heard_it() -> None:
    async with overlay("a", "b", "c", load_period_s=1000.0) as made:
        a, b, c = made
        await until(lambda: all(len(node.neighbours()) == 2 for node in made))
        dropped = b.neighbours()
        b._presence.refute()
        version = b.directory.stamps["b"][1]

        for node in dropped:
            b.neighbour_down(node, failed=False)
            b.neighbour_up(node)

        await until(lambda: b.directory.stamps["b"][1] > version, "the record is written once more")
        await until(lambda: a.directory.stamps["b"] == c.directory.stamps["b"] == b.directory.stamps["b"])


async def test_what_is_refuted_is_told_once_while_somebody_stays_who_heard_it() -> None:
    async with overlay("a", "b", "c", load_period_s=1000.0) as made:
        a, b, _ = made
        await until(lambda: all(len(node.neighbours()) == 2 for node in made))
        b._presence.refute()
        version = b.directory.stamps["b"][1]

        b.neighbour_down(a.me, failed=False)
        b.neighbour_up(a.me)
        await quiet()

        assert b.directory.stamps["b"][1] == version


async def test_neighbours_are_told_when_nobody_has_come_up_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_module, "GREW_PERIODS", 1_000_000.0)
    async with overlay("a", "b", **QUICK) as (a, b):
        await until(lambda: a.neighbours() and b.neighbours())
        stamp = a.directory.stamps["a"]
        for _ in range(5):
            a._presence.renew()
        assert a.directory.stamps["a"] == stamp

        a.describe_load = lambda: {"actors": 1}
        await until(lambda: record_of(b, a).actors == 1, "what is new of itself does not wait")
        monkeypatch.setattr(presence_module, "GREW_PERIODS", 1.0)
        await until(lambda: record_of(b, a).neighbours == ("b",) and record_of(a, b).neighbours == ("a",))


@pytest.mark.parametrize(("written_ago_s", "wait_s"), [(0.0, 1500.0), (1e9, 500.0)])
async def test_who_joined_together_and_whose_neighbours_change_together_has_a_turn_of_its_own(
    written_ago_s: float, wait_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with overlay("a", "b", "c", load_period_s=1000.0) as made:
        presence, a = made[0]._presence, made[0]
        await until(lambda: len(a.neighbours()) == 2)
        monkeypatch.setattr(presence_module, "PROMPT_NODES", 1)
        monkeypatch.setattr(presence_module, "NEIGHBOURS_PER_S", 0.001)
        presence._grew_at, presence._changed, a.rng.random = -1e9, None, lambda: 0.25
        presence._written_at = a.loop.time() - written_ago_s
        last = presence._record(UP)

        waits_s = presence._wait_s(dataclasses.replace(last, neighbours=("b",)), last)

        assert abs(waits_s - wait_s) < 60.0, "of a turn of 2000 s: a quarter, or three quarters after the last time"


@pytest.mark.parametrize(("most", "is_down"), [(1, True), (32, False)])
async def test_in_a_large_cluster_who_is_dialled_in_vain_is_verified_by_whoever_dialled(
    most: int, is_down: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence_module, "GATHERED_MAX", most)
    monkeypatch.setattr(presence_module, "SIGN_OF_LIFE_S", 0.01)
    monkeypatch.setattr(presence_module, "REFUSED_S", 0.01)
    async with overlay("a", "b", load_period_s=1000.0) as (a, b):
        record = {**record_of(a, b).plain(), "incarnation": 1, "addresses": ["x:1"]}
        a.write(PREFIX + "x", (1, 1, UP), pack(record))
        x = a.router.peer(NodeId("x", 1))
        verified: list[NodeId] = []
        verify = a._presence._verify

        async def noted(node: NodeId, patience: float = 0.0) -> None:
            verified.append(node)
            await verify(node, patience)

        a._presence._verify = noted  # type: ignore[method-assign]  # to see whom it asks for

        for _ in range(2):
            await a._dial(x, "control", 0)

        assert bool(a._presence._looked_into) == is_down
        if is_down:
            await until(lambda: all(node.directory.stamps.get("x") == (1, 1, DOWN) for node in (a, b)))
            assert verified == [x.node], "once, though it was dialled twice"


async def test_who_is_only_looked_into_is_asked_once_at_a_time_and_may_take_longer_to_answer() -> None:
    async with overlay("a", "b", load_period_s=1000.0) as (a, b):
        record = {**record_of(a, b).plain(), "incarnation": 1, "addresses": ["x:1"]}
        a.write(PREFIX + "x", (1, 1, UP), pack(record))
        waits: list[float | None] = []
        answers = asyncio.Event()

        async def slow(address: str, *lane: Any) -> None:
            waits.append(lane[-1])
            await answers.wait()

        a.dialling.open = slow  # type: ignore[method-assign,assignment]  # somebody who takes his time

        for _ in range(2):
            a._presence.look_into(NodeId("x", 1))
        await until(lambda: waits)
        answers.set()
        await until(lambda: not a._presence._looked_into)
        a._presence.suspect(NodeId("x", 1))
        await until(lambda: len(waits) == 2)

        assert waits[0] is not None and waits[1] is not None
        assert waits[0] > waits[1], "that a connection broke speaks against it"
        assert a.directory.is_up(NodeId("x", 1))


@asynccontextmanager
async def with_process(network: MemoryNetwork, *names: str) -> AsyncIterator[tuple[list[TestNode], TestNode]]:
    """Nodes, and one more that is a process of the first."""
    async with overlay(*names, network=network) as made:
        process = TestNode(config_of("p", hosted_by=names[0], hosts_actors=False), network)
        try:
            await process.start([made[0].address])
            await until(lambda: all(node.directory.is_up(process.me) for node in made), "the process is known")
            yield made, process
        finally:
            network.unreachable.add(process.address)
            await process.close(graceful=False)


def crash(network: MemoryNetwork, process: TestNode) -> None:
    """Nobody can reach the process any more, and its connections break."""
    network.unreachable.add(process.address)
    process.driver.close()
    for connection in list(process.dialling._connections):
        connection.abort(ConnectionResetError("it died"))


async def test_how_a_process_ended_is_for_its_host_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_module, "VERDICT_S", 600.0)
    network = MemoryNetwork()
    async with with_process(network, "a", "b", "c") as (made, process):
        whys: list[str] = []
        for node in made:
            node.directory.on_down.append(lambda record, why: whys.append(why))
        b = made[1]
        crash(network, process)
        await until(lambda: all(not node.router.peer(process.me).is_connected for node in made), "all have noticed")

        made[0].declare_down(process.me, "signal 9")

        await until(lambda: all(not node.directory.is_up(process.me) for node in made))
        assert whys == ["signal 9"] * 3
        assert b.peer(process).down == "signal 9"


async def test_when_the_host_says_nothing_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_module, "VERDICT_S", 0.01)
    network = MemoryNetwork()
    async with with_process(network, "a", "b", "c") as (made, process):
        crash(network, process)

        await until(lambda: all(not node.directory.is_up(process.me) for node in made))
        assert record_of(made[1], process).why_not == "it does not answer"


async def test_a_node_that_leaves_for_a_reason_says_it() -> None:
    network = MemoryNetwork()
    async with with_process(network, "a", "b") as (made, process):
        await process.close(why="its actor has ended")

        await until(lambda: all(record_of(node, process).state_name == "left" for node in made))
        await until(lambda: {node.peer(process).down for node in made} == {"its actor has ended"})


async def test_who_shakes_hands_after_its_end_was_known_is_down_when_its_connection_closes() -> None:
    async with nodes("a", "b") as (a, b):
        record = dataclasses.replace(record_of(a, a), node=b.me, why="its work is done")
        a.write(PREFIX + "b", (1, 1, UP), record.packed())
        a.write(PREFIX + "b", (1, 1, LEFT), record.packed())
        peer = a.peer(b)

        await a.connect(b.address, b.me)
        assert peer.down is None, "whoever shakes hands is alive"
        for connection in list(peer.open):
            connection.close()

        await until(lambda: peer.down == "its work is done")


async def test_with_a_host_its_processes_are_down() -> None:
    network = MemoryNetwork()
    async with with_process(network, "a", "b", "c") as (made, process):
        host, b, c = made
        stamp = b.directory.stamps["a"]

        b.write(PREFIX + "a", (stamp[0], stamp[1], DOWN), record_of(b, host).packed())

        await until(lambda: record_of(c, process) is not None and "its host, node a" in record_of(c, process).why)
