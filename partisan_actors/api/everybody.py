"""One question to every node of the cluster, by one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from partisan_actors.actors.blocking import result_of
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.actor_rows import INSPECT
from partisan_actors.api.observer import Answer
from partisan_actors.errors import CallTimeout, PartisanError

__all__ = ["answers_of_all", "ask_everybody", "blocking"]

T = TypeVar("T")

NODE_S: Final = 5.0


def blocking(system: ActorSystem, job: Coroutine[Any, Any, T], name: str, what: str, timeout: float) -> T:
    """What `job` gives on the node's loop, for the function of that name, which asks every node for `what`.

    Raises CallTimeout, and RuntimeError on that loop.
    """
    if asyncio._get_running_loop() is system.loop:
        job.close()
        raise RuntimeError(f"{name} would block the node's own loop: use `await asyncio.to_thread(...)` there")
    running = asyncio.run_coroutine_threadsafe(job, system.loop)
    try:
        return result_of(running, timeout)
    except TimeoutError as error:
        running.cancel()
        raise CallTimeout(f"asking every node for {what}", timeout) from error


async def ask_everybody(system: ActorSystem, question: str) -> list[Any]:
    """What all nodes that are up answer to that question of `Inspection`, put together. On the node's loop."""
    answers = await answers_of_all(system, INSPECT, question)
    return [row for answer in answers if answer.why is None for row in answer.value]


async def answers_of_all(system: ActorSystem, service: str, question: str, *args: Any) -> Sequence[Answer]:
    """What each node that is up answers, within NODE_S. On the node's loop."""

    async def ask(record: Any) -> Answer:
        row = {"name": record.node.name, "id": str(record.node)}
        try:
            return Answer(row, await system.request(record.node, service, question, *args, timeout_s=NODE_S))
        except PartisanError as error:
            return Answer(row, why=str(error))

    return await asyncio.gather(*map(ask, system.node.directory.live()))
