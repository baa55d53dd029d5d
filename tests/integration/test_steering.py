"""What people do to actors from outside, on whole nodes in memory: end them, have them made again, look at them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.errors import ActorNotFound, ActorStopped, ActorUnavailable, ConfigError
from tests.integration.nodes import Nodes, nodes, until


@pa.actor(max_restarts=1)
class Lasting:
    def __init__(self) -> None:
        self.gate: asyncio.Event | None = None

    async def ping(self) -> int:
        return 1

    async def wait(self) -> None:
        self.gate = asyncio.Event()
        await self.gate.wait()

    async def open(self) -> None:
        assert self.gate is not None
        self.gate.set()


@pa.actor
class Single:
    async def ping(self) -> int:
        return 1


def steering_of(cluster: Nodes, actor: Any) -> tuple[Any, str]:
    """The steering of the node that an actor is on, and its id."""
    (name,) = [name for name in cluster.runtimes if cluster[name].system.cell(actor._location.actor)]
    return cluster[name].steering, str(actor._location.actor)


async def answer_of(actor: Any) -> int:
    """What an actor answers that is being made again: calls under way meanwhile may be told to try once more."""
    async with asyncio.timeout(60):
        while True:
            try:
                return int(await actor.ping.remote())
            except ActorUnavailable:
                await asyncio.sleep(0.01)


async def test_a_killed_actor_has_ended_for_good_and_the_log_says_who_asked(caplog: pytest.LogCaptureFixture) -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            actor = Lasting.remote()
            await actor.ping.remote()
            steering, actor_id = steering_of(cluster, actor)

            with caplog.at_level(logging.WARNING):
                await steering.kill(None, actor_id, "a person")

            with pytest.raises(ActorStopped):
                await actor.ping.remote()
            assert "audit: a person kills Lasting" in caplog.text
            with pytest.raises(ActorNotFound):
                await steering.kill(None, actor_id, "a person")


async def test_a_restarted_actor_lives_again_as_often_as_it_may() -> None:
    async with nodes("a", "b") as cluster:
        await cluster.add("caller", hosts_actors=False)  # so that the actor's node has no handle of it
        with cluster.at("caller"):
            actor = Lasting.remote()
            await actor.ping.remote()
            steering, actor_id = steering_of(cluster, actor)

            await steering.restart(None, actor_id, "a person")
            await until(lambda: sum(each.scheduler.guardian.restarts for each in cluster.runtimes.values()))
            assert await answer_of(actor) == 1

            steering, actor_id = steering_of(cluster, actor)
            with pytest.raises(ConfigError, match="max_restarts=1, and restarted 1 times"):
                await steering.restart(None, actor_id, "a person")


async def test_a_stopped_actor_does_first_what_it_was_asked_before() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            actor = Single.remote()
            await actor.ping.remote()
            steering, actor_id = steering_of(cluster, actor)

            await steering.stop(None, actor_id, "a person")

            await until(lambda: not cluster["a"].system.local_cells())


async def test_what_an_actor_is_at_can_be_seen_and_no_values_of_it() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            actor = Lasting.remote()
            waiting = actor.wait.remote()
            cell = cluster["a"].system.cell
            await until(lambda: cell(actor._location.actor) and cell(actor._location.actor).stepper.active)
            steering, actor_id = steering_of(cluster, actor)

            seen = await steering.look(None, actor_id)
            await actor.open.remote()
            await waiting

    assert seen["running"] == ["wait"] and seen["waiting"] == 0 and seen["may_restart"]
    assert seen["methods"] == ["open", "ping", "wait"]


async def test_what_is_no_actor_is_an_error() -> None:
    async with nodes("a") as cluster:
        for wrong in ("", "actor", "actor:x", "object:a~1/2"):
            with pytest.raises(ConfigError):
                await cluster["a"].steering.look(None, wrong)
        with pytest.raises(ActorNotFound):
            await cluster["a"].steering.look(None, "actor:a~1/2")


async def test_what_is_done_to_a_node_is_logged_there_and_told_in_its_feed(caplog: pytest.LogCaptureFixture) -> None:
    async with nodes("a") as cluster:
        await cluster["a"].steering.note(None, "asks to drain", "a person")
        (row,) = cluster["a"].node.feed.tail({"kinds": ["node.steered"]})["rows"]

    assert "audit: a person asks to drain node a" in caplog.text
    assert row["text"] == "a person asks to drain node a" and row["severity"] == "warning"
