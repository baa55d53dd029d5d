"""Nodes that the overlay alone would not bring back: those without neighbours, and those that nobody watches."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node import repair as repair_module
from partisan_actors.node.directory import DOWN, PREFIX, UP, NodeRecord
from partisan_actors.node.repair import connected, watched_by
from partisan_actors.protocols.membership.redial import RedialOptions
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import TestNode, nodes, overlay, until

# Overlays that give up at once, so that only the repair brings anybody back.
FORGETFUL = {"overlay_options": {"redial": RedialOptions(first_s=1000.0, longest_s=1000.0, tries_max=1)}}
QUICK: dict[str, Any] = {"load_period_s": 0.02, "dial_timeout_s": 0.1, **FORGETFUL}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair_module, "FIRST_S", 0.02)


def is_alone_when_cut_off(node: TestNode) -> bool:
    """Break every connection of a node; whether it has no neighbour any more."""
    for peer in list(node.router.peers.values()):
        for connection in list(peer.open):
            connection.abort(ConnectionResetError("cut"))
    return not node.neighbours()


async def test_a_node_that_lost_every_neighbour_joins_again_through_somebody_it_knows() -> None:
    network = MemoryNetwork()
    async with overlay("a", "b", "c", network=network, **QUICK) as made:
        a, b, c = made
        network.unreachable.update(node.address for node in made)
        await until(lambda: all([is_alone_when_cut_off(node) for node in made]))  # noqa: C419 - each is to be cut off

        network.unreachable.clear()

        await until(lambda: all(node.neighbours() for node in made))
        await until(lambda: all(len(node.directory.live()) == 3 for node in made), "nobody is thought to be down")
        a.tell(c, 1)
        b.tell(a, 2)
        await until(lambda: c.told == [1] and a.told == [2])


async def test_a_node_that_is_alone_in_its_cluster_asks_nobody() -> None:
    async with nodes("a", "b", load_period_s=0.02) as (a, b):
        await asyncio.sleep(0.1)

        assert not a.router.peer(b.me).open and not a.neighbours()


async def test_a_record_whose_neighbours_are_all_gone_is_looked_into() -> None:
    async with overlay("a", "b", "c", **QUICK) as made:
        a, b, _ = made
        a.write(PREFIX + "ghost", (1, 1, UP), ghost_record(neighbours=()))

        await until(lambda: all(node.directory.records["ghost"].state == DOWN for node in made))
        assert b.directory.is_up(a.me)


def is_everybody_watched(node: TestNode, made: list[TestNode]) -> bool:
    """Whether everybody is somebody's neighbour, as far as one node has heard."""
    neighbours = {record.node.name: record.neighbours for record in node.directory.live()}
    near = connected(node.me.name, neighbours)
    return {each.me.name for each in made} <= watched_by(near, neighbours)


async def test_in_a_large_cluster_who_has_just_spoken_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair_module, "SWEPT_MAX", 1)
    monkeypatch.setattr(repair_module, "FRESH_S", 1000.0)
    monkeypatch.setattr(repair_module, "WATCHERS", 100.0)
    async with overlay("a", "b", "c", **QUICK) as made:
        a = made[0]
        await until(lambda: is_everybody_watched(a, made))
        a.write(PREFIX + "ghost", (1, 1, UP), ghost_record(neighbours=()))
        looked_into: list[NodeId] = []
        a._repair._look_into = looked_into.append
        a.rng.random = lambda: 0.0

        a._repair.sweep()
        fresh = list(looked_into)
        monkeypatch.setattr(repair_module, "FRESH_S_MAX", 0.0)
        monkeypatch.setattr(repair_module, "FRESH_PERIODS", 0.0)
        monkeypatch.setattr(repair_module, "FRESH_S_MIN", 0.0)
        a._repair.sweep()

        assert (fresh, looked_into) == ([], [NodeId("ghost", 1)])


async def test_in_a_small_one_neighbours_have_some_load_periods_to_say_whom_they_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repair_module, "WATCHERS", 100.0)
    async with overlay("a", "b", load_period_s=1000.0) as made:
        a = made[0]
        a.write(PREFIX + "ghost", (1, 1, UP), ghost_record(neighbours=()))
        looked_into: list[NodeId] = []
        a._repair._look_into = looked_into.append

        a._repair.sweep()
        fresh = list(looked_into)
        monkeypatch.setattr(repair_module, "FRESH_PERIODS", 0.0)
        monkeypatch.setattr(repair_module, "FRESH_S_MIN", 0.0)
        a._repair.sweep()

        assert fresh == [] and NodeId("ghost", 1) in looked_into


async def test_nodes_that_went_down_together_and_speak_of_each_other_are_looked_into() -> None:
    async with overlay("a", "b", "c", **QUICK) as made:
        a = made[0]
        for name, other in (("ghost", "spook"), ("spook", "ghost")):
            a.write(PREFIX + name, (1, 1, UP), ghost_record(neighbours=(other, "a"), name=name))

        await until(
            lambda: all(node.directory.records[name].state == DOWN for node in made for name in ("ghost", "spook"))
        )


def test_whoever_has_a_neighbour_that_is_near_is_watched() -> None:
    neighbours = {"a": ["b", "x"], "b": ["a"], "x": ["y"], "y": ["x", "a"]}
    near = connected("a", neighbours)

    assert near == {"a", "b"}
    assert watched_by(near, neighbours) == {"a", "b", "x"}, "a speaks of x, and will notice its end; nobody of y"


async def test_when_a_node_goes_down_those_whose_neighbours_are_all_gone_are_looked_into(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repair_module, "ORPHANS_S", 0.0)
    monkeypatch.setattr(repair_module, "ORPHANS_WATCHERS", 100.0)
    async with overlay("a", "b", load_period_s=1000.0) as made:
        a = made[0]
        looked_into: list[NodeId] = []
        a._repair._look_into = looked_into.append
        for name, neighbours in (
            ("ghost", ("spook",)),
            ("kept", ("spook", "b")),
            ("odd", ("unheard of",)),
            ("new", ()),
        ):
            a.write(PREFIX + name, (1, 1, UP), ghost_record(neighbours, name))
        a.write(PREFIX + "spook", (1, 1, UP), ghost_record(("ghost",), "spook"))

        a.write(PREFIX + "spook", (1, 1, DOWN), ghost_record(("ghost",), "spook"))

        await until(lambda: looked_into)
        assert looked_into == [NodeId("ghost", 1)]


async def test_in_a_large_cluster_deaths_have_everybody_look_into_those_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever records say: each of these speaks of a node that is up."""
    monkeypatch.setattr(repair_module, "ORPHANS_S", 0.0)
    monkeypatch.setattr(repair_module, "SWEPT_MAX", 1)
    monkeypatch.setattr(repair_module, "BEFORE", 2)
    async with overlay("m", "n", load_period_s=1000.0) as made:
        m = made[0]
        looked_into: list[NodeId] = []
        m._repair._look_into = looked_into.append
        for name in ("d", "e", "f", "x"):
            m.write(PREFIX + name, (1, 1, UP), ghost_record(("n",), name))

        m.write(PREFIX + "f", (1, 1, DOWN), ghost_record(("n",), "f"))

        await until(lambda: looked_into)
        assert looked_into == [NodeId("e", 1), NodeId("d", 1)]


async def test_the_first_in_the_order_looks_into_the_last_and_never_at_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair_module, "ORPHANS_S", 0.0)
    monkeypatch.setattr(repair_module, "SWEPT_MAX", 1)
    async with overlay("a", "b", load_period_s=1000.0) as made:
        a = made[0]
        looked_into: list[NodeId] = []
        a._repair._look_into = looked_into.append
        for name in ("y", "z"):
            a.write(PREFIX + name, (1, 1, UP), ghost_record(("b",), name))

        a.write(PREFIX + "z", (1, 1, DOWN), ghost_record(("b",), "z"))

        await until(lambda: looked_into)
        assert looked_into == [NodeId("y", 1)], "b is its neighbour"


async def test_nobody_is_looked_into_again_at_once_however_many_go_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair_module, "SWEPT_MAX", 1)
    monkeypatch.setattr(repair_module, "ORPHANS_S", 1000.0)
    monkeypatch.setattr(repair_module, "BEFORE", 2)
    async with overlay("m", "n", load_period_s=1000.0) as (m, _):
        repair, loop = m._repair, asyncio.get_running_loop()
        for name in ("c", "d", "e", "f"):
            m.write(PREFIX + name, (1, 1, UP), ghost_record(("n",), name))
        repair._deaths, repair._died_at = 1, loop.time()

        assert [node.name for node in repair._before(m.directory.live())] == ["f", "e"]
        assert repair._deaths_timer is None, "and that is all"
        m.write(PREFIX + "f", (1, 1, DOWN), ghost_record(("n",), "f"))
        repair._deaths_timer.cancel()
        repair._deaths_timer = None

        assert [node.name for node in repair._before(m.directory.live())] == ["d"], (
            "e was looked into, before f went down"
        )
        again: asyncio.TimerHandle = repair._deaths_timer
        assert 0.0 < again.when() - loop.time() <= repair_module.LATELY_S, "so it is once more, later"


def ghost_record(neighbours: tuple[str, ...], name: str = "ghost") -> bytes:
    """What a node would write that nobody can reach."""
    return NodeRecord(NodeId(name, 1), (f"{name}:1",), neighbours=neighbours).packed()


async def test_two_parts_of_an_overlay_that_nothing_joins_any_more_become_one() -> None:
    """As when the only node that was in both has gone down: nobody lacks a neighbour, and everybody is known."""
    async with nodes("a", "b", "c", "d", **{**QUICK, "keep_alive_s": 1000.0}) as (a, b, c, d):
        for node, contact in ((b, a), (d, c)):
            await node.connect(contact.address, contact.me)
            node.driver.join(contact.me)
        await until(lambda: a.neighbours() and b.neighbours() and c.neighbours() and d.neighbours())
        await until(lambda: all(len(node.directory.live()) == 2 for node in (a, b, c, d)))
        await until(lambda: all(node.directory.records[node.me.name].neighbours for node in (a, b, c, d)))

        for node, far in ((a, c), (a, d), (c, a), (c, b)):
            node.write(PREFIX + far.me.name, far.directory.stamps[far.me.name], own_record(far))

        await until(lambda: any(far.me in node.neighbours() for node in (a, b) for far in (c, d)))


def own_record(node: TestNode) -> bytes:
    """What a node says of itself."""
    return node.directory.records[node.me.name].packed()


@pytest.mark.parametrize(
    ("neighbours", "near"),
    [
        ({"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]}, {"a", "b"}),
        ({"a": ["b"], "b": ["a", "c"], "c": ["b"]}, {"a", "b", "c"}),
        ({"a": ["b"], "b": ["a"], "c": ["b"]}, {"a", "b"}),
        ({"a": ["gone"], "b": []}, {"a"}),
    ],
)
def test_only_links_that_both_ends_speak_of_connect(neighbours: dict[str, list[str]], near: set[str]) -> None:
    assert connected("a", neighbours) == near
