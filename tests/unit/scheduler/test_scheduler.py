"""How actors get their places: a burst of them, and one whose request was heard although its connection broke."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import ActorUnavailable
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.scheduler.policy import Request
from partisan_actors.scheduler.spec import ActorSpec
from partisan_actors.transport.memory import MemoryNetwork
from partisan_actors.wire.payload import encode_call
from tests.nodes import until
from tests.unit.api.runtimes import runtimes


class Plain:
    """What the actors are made of."""


def spec_of(system: ActorSystem, number: int, max_restarts: int = 0) -> ActorSpec:
    """An actor that is to be spread."""
    body, buffers = ActorSpec.arguments(encode_call((), {}, "nothing"))
    code = system.code.add(Plain, "the class")
    request = Request.parse(placement="spread")
    actor = ActorId(system.me, number)
    return ActorSpec(actor, "Plain", code, body, buffers, request, system.me, max_restarts=max_restarts)


def hosts_of(cluster: list[Runtime], actor: ActorId) -> list[NodeId]:
    """The nodes on which the actor runs."""
    return [each.node.me for each in cluster if each.system.cell(actor) is not None]


async def test_actors_made_in_one_burst_are_spread_evenly() -> None:
    async with runtimes(MemoryNetwork(), "a", "b", "c", "d") as cluster:
        scheduler, system = cluster[0].scheduler, cluster[0].system

        placed = await asyncio.gather(*(scheduler.place(spec_of(system, number)) for number in range(1, 9)))

        assert Counter(placed) == {each.node.me: 2 for each in cluster}


async def test_an_actor_whose_request_was_heard_but_not_answered_lives_once_and_is_not_announced_as_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with runtimes(MemoryNetwork(), "a", "b", "c") as cluster:
        scheduler = cluster[0].scheduler
        spec = spec_of(cluster[0].system, 1, max_restarts=-1)
        ask, asked = scheduler._ask_create, []

        async def ask_and_lose_the_first_answer(node: NodeId, spec: ActorSpec) -> str:
            asked.append(node)
            answer = await ask(node, spec)
            if len(asked) == 1:
                raise ActorUnavailable("service scheduler", "the connection broke")
            return answer

        monkeypatch.setattr(scheduler, "_ask_create", ask_and_lose_the_first_answer)

        host = await scheduler.place(spec)

        assert asked == [asked[0], host] and asked[0] != host
        await until(lambda: hosts_of(cluster, spec.actor) == [host], "the first one is withdrawn")
        exchange = cluster[0].node.driver.stack.exchange
        assert exchange is not None and exchange.get(f"actor/{spec.actor}") is None
