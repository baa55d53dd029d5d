"""Profiles of a node that runs: asked for by others, within bounds, one at a time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api.profiling import RATE_MAX, SECONDS_MAX
from partisan_actors.errors import ActorNotFound, ConfigError
from tests.integration.nodes import nodes, until


@pa.actor
class Computes:
    def __init__(self) -> None:
        self.is_over = False

    def compute(self) -> None:
        while not self.is_over:
            sum(range(1000))

    @pa.method(concurrency_group="end")
    async def end(self) -> None:
        self.is_over = True


async def test_the_methods_of_an_actor_s_class_are_seen() -> None:
    async with nodes("a") as cluster:
        profiles = cluster["a"].stacks.profiles
        with cluster.at("a"):
            actor: Any = Computes.options(concurrency_groups={"end": 1}).remote()
            running = actor.compute.remote()
            await until(lambda: cluster["a"].system.cell(actor._location.actor) is not None)
            seen: set[str] = set()
            began = time.monotonic()
            while "Computes.compute" not in seen and time.monotonic() < began + 60:
                told = await profiles.actor(None, str(actor._location.actor), 0.2, RATE_MAX)
                seen = {row["function"] for row in told["frames"]}
            await actor.end.remote()
            await running

    assert "Computes.compute" in seen and told["class"] == "Computes" and told["node"] == "a"


async def test_what_is_beyond_the_bounds_and_a_second_one_at_a_time_is_refused() -> None:
    async with nodes("a") as cluster:
        profiles = cluster["a"].stacks.profiles
        for seconds, rate in ((0, 1), (SECONDS_MAX + 1, 1), (1, 0), (1, RATE_MAX + 1)):
            with pytest.raises(ConfigError):
                await profiles.node(None, seconds, rate)
        with pytest.raises(ActorNotFound):
            await profiles.actor(None, "actor:a~1/2", 1, 1)
        with pytest.raises(ConfigError, match="id of an actor"):
            await profiles.actor(None, "nonsense", 1, 1)

        first = asyncio.create_task(profiles.node(None, SECONDS_MAX, 10))
        await asyncio.sleep(0)
        with pytest.raises(ConfigError, match="one at a time"):
            await profiles.node(None, 1, 10)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        told = await profiles.node(None, 0.05, RATE_MAX)

    assert told["frames"][0]["parent"] == -1
