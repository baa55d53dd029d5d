"""Tests of nodes that nobody knows: they are remembered for a while, and not without bound."""

from __future__ import annotations

import asyncio

import pytest

from partisan_actors.errors import NodeDown
from partisan_actors.ids import NodeId
from partisan_actors.node import strangers
from partisan_actors.node.strangers import Strangers
from tests.nodes import Answer, TestNode, nodes, until


def sweep(node: TestNode) -> None:
    Strangers(node.router, node.directory, asyncio.get_running_loop()).sweep()


async def test_of_those_that_nobody_knows_and_uses_the_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "STRANGERS_KEPT", 3)
    async with nodes("a", "b") as (a, b):
        a.tell(b, "hello")
        await until(lambda: b.told)
        met = [a.router.peer(NodeId("x", life)) for life in range(1, 11)]
        met[0].pending[1] = Answer()

        sweep(a)

        assert list(a.router.peers.values()) == [a.router.me, a.peer(b), met[0], *met[-3:]]


async def test_who_still_holds_one_that_was_let_go_is_told_that_it_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "STRANGERS_KEPT", 1)
    async with nodes("a") as (a,):
        first, _ = (a.router.peer(NodeId("x", life)) for life in (1, 2))

        sweep(a)

        with pytest.raises(NodeDown, match="no node of this cluster has known it"):
            first.send(b"")
        assert NodeId("x", 1) not in a.router.peers and NodeId("x", 2) in a.router.peers


async def test_the_more_nodes_were_met_the_more_rarely_they_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "STRANGERS_KEPT", 1)
    monkeypatch.setattr(strangers, "REST_S", 1000.0)
    monkeypatch.setattr(strangers, "REST_S_MAX", 1000.0)
    async with nodes("a") as (a,):
        looking = Strangers(a.router, a.directory, asyncio.get_running_loop())
        looking.sweep()
        first, _ = (a.router.peer(NodeId("x", life)) for life in (1, 2))

        looking.sweep()
        assert first.node in a.router.peers

        monkeypatch.setattr(strangers, "REST_S_MAX", 0.0)
        looking.sweep()
        assert first.node not in a.router.peers
