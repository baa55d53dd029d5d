"""What actors say of their state, on a whole node in memory: in their turn, and each asked once at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api import inner_states
from partisan_actors.errors import ActorNotFound, ConfigError
from tests.integration.nodes import Nodes, nodes


@pa.actor(max_concurrency=1)
class Account:
    def __init__(self) -> None:
        self.balance = 7
        self.looks = 0
        self.gate = asyncio.Event()

    async def spend(self) -> None:
        self.balance = -1

    async def wait(self) -> None:
        await self.gate.wait()

    async def looked(self) -> int:
        return self.looks

    async def inspect_state(self) -> dict[str, int]:
        self.looks += 1
        if self.balance < 0:
            raise ValueError("nobody knows")
        return {"balance": self.balance}


@pa.actor
class Closed:
    async def ping(self) -> None: ...


async def look(cluster: Nodes, actor: Any) -> Any:
    return await cluster["a"].inner_states.look(None, str(actor._location.actor))


async def test_an_actor_tells_of_its_state_and_what_it_raises_is_told_too() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            account = Account.remote()
            await account.looked.remote()
            assert await look(cluster, account) == {"state": {"balance": 7}, "why": None, "cut": False}
            await account.spend.remote()
            told = await look(cluster, account)

    assert told["state"] is None and "nobody knows" in told["why"]


async def test_who_is_busy_is_told_as_such_and_however_many_look_it_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            account = Account.remote()
            await account.looked.remote()
            cell = cluster["a"].system.cell(account._location.actor)
            assert cell is not None
            waits = account.wait.remote()
            async with asyncio.timeout(60):
                while not cell.stepper.active:
                    await asyncio.sleep(0.01)
            monkeypatch.setattr(inner_states, "WAIT_S", 0.05)
            for _ in range(3):
                told = await look(cluster, account)
                assert told["state"] is None and "has not come to that" in told["why"]

            monkeypatch.setattr(inner_states, "WAIT_S", 60.0)
            later = asyncio.create_task(look(cluster, account))
            await asyncio.sleep(0)
            cell.instance.gate.set()
            await waits

            assert (await later)["state"] == {"balance": 7}
            assert await account.looked.remote() == 1


async def test_who_has_no_such_method_is_not_looked_into_and_who_is_not_there_neither() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            closed = Closed.remote()
            await closed.ping.remote()
            with pytest.raises(ConfigError, match="inspect_state"):
                await look(cluster, closed)
            with pytest.raises(ActorNotFound):
                await cluster["a"].inner_states.look(None, "actor:nobody~1/1")
            with pytest.raises(ConfigError, match="id of an actor"):
                await cluster["a"].inner_states.look(None, "nonsense")
