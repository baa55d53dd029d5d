"""One question to every node of the cluster, by one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.actor_rows import INSPECT
from partisan_actors.errors import PartisanError

__all__ = ["ask_everybody"]

NODE_S: Final = 5.0


async def ask_everybody(system: ActorSystem, question: str) -> list[Any]:
    """What all nodes that are up answer to that question of `Inspection`, put together. On the node's loop."""

    async def ask(record: Any) -> Sequence[Any]:
        try:
            answer: Sequence[Any] = await system.request(record.node, INSPECT, question, timeout_s=NODE_S)
        except PartisanError:
            return ()
        return answer

    answers = await asyncio.gather(*map(ask, system.node.directory.live()))
    return [row for answer in answers for row in answer]
