"""Tests of what is read off a node for its points: whether its neighbours agree that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from partisan_actors.api.metric_points import asymmetric_links
from partisan_actors.protocols.machine import Connect, Disconnect, Effect, NeighbourDown, NeighbourUp, Peer
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import until
from tests.unit.api.runtimes import runtimes


class Claiming:
    """An overlay in which whoever joins takes its contact for a neighbour, and does not tell it."""

    messages: ClassVar[tuple[type, ...]] = ()

    def __init__(self, me: Peer, options: Mapping[str, Any], rng: Random) -> None:
        self._near: list[Peer] = []

    @property
    def neighbours(self) -> Sequence[Peer]:
        return list(self._near)

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        return {"active": self.neighbours}

    def start(self, now: float) -> list[Effect]:
        return []

    def join(self, contact: Peer, now: float) -> list[Effect]:
        if contact in self._near:
            return []
        self._near.append(contact)
        return [Connect(contact), NeighbourUp(contact)]

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        if peer not in self._near:
            return []
        self._near.remove(peer)
        return [NeighbourDown(peer, failed=True), Disconnect(peer)]

    def leave(self, now: float) -> list[Effect]:
        former, self._near = self._near, []
        return [effect for peer in former for effect in (NeighbourDown(peer, failed=False), Disconnect(peer))]

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return []

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return []

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        return []


async def told(runtime: Any) -> list[Any]:
    points = await runtime.metering.snapshot()
    return [point["value"] for point in points if point["name"] == "partisan.overlay.asymmetric_links"]


async def test_a_link_that_one_end_alone_has_is_counted_there() -> None:
    async with runtimes(MemoryNetwork(), "a", "b", overlay=f"{__name__}:Claiming") as (a, b):
        await until(lambda: asymmetric_links(b.node) == 1, "b knows that it is no neighbour of a")

        assert await told(b) == [1]
        assert await told(a) == [0], "it has no neighbour at all"


async def test_at_rest_no_link_is_counted() -> None:
    async with runtimes(MemoryNetwork(), "a", "b", "c") as made:
        await until(
            lambda: all(runtime.node.neighbours() and asymmetric_links(runtime.node) == 0 for runtime in made),
            "all have told of the neighbours that they have",
        )


async def test_a_broadcast_is_counted_where_it_arrives_with_the_links_it_crossed() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b") as (one, other):
        await until(lambda: one.node.neighbours() and other.node.neighbours())
        one.node.broadcast("news", "something")
        await until(lambda: other.node.driver.counts.delivered > 0)
        row = await other.metering.broadcasts()

    assert row["delivered"] >= 1 and row["payloads"] >= row["delivered"]
    assert set(row["hops"]) == {"1"} and sum(row["hops"].values()) == row["delivered"]
