"""Asking the owner of a ref, until there is an answer.

An answer may be lost with a connection of which the other side knew nothing. So whoever asks does so again when none
has come within PATIENCE_S, or the time that the slowest network takes; an owner that has no value yet says so before.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ActorUnavailable, TaskFailed
from partisan_actors.ids import ObjectId
from partisan_actors.objects.fetching import Fetched, Later
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.wire.channels import BULK

__all__ = ["SERVICE", "ask_owner", "is_done_soon", "patience_for"]

SERVICE: Final = "objects"
LATER_S: Final = 15.0
PATIENCE_S: Final = 30.0
SLOWEST_BYTES_PER_S: Final = 1024 * 1024
FETCH_RETRIES: Final = 3
FETCH_RETRY_S: Final = 0.2


async def is_done_soon(ref: ObjectRef[Any]) -> bool:
    """Whether `ref`, of this node, is done by the time that whoever asked for it is to be told something."""
    if not ref.done():
        done = asyncio.Event()
        ref.add_waiter(done.set)
        with suppress(TimeoutError):
            async with asyncio.timeout(LATER_S):
                await done.wait()
        ref.remove_waiter(done.set)
    return ref.done()


def patience_for(size_bytes: int) -> float:
    """How many seconds so many bytes may take to come."""
    return PATIENCE_S + size_bytes / SLOWEST_BYTES_PER_S


async def ask_owner(
    system: ActorSystem, identity: ObjectId, what: str, patience_s: float = PATIENCE_S
) -> tuple[Any, Fetched]:
    """What the owner of an object answers to a request, and what is known of that. Asking again is safe.

    Raises what it raises: NodeError when it cannot be reached.
    """
    owner, number = identity
    failures = 0
    while True:
        reply = Fetched(system.loop)
        try:
            async with asyncio.timeout(patience_s) as patience:
                value = await system.request(owner, SERVICE, what, number, channel=BULK, reply=reply)
        except ActorUnavailable as error:
            # Only a broken connection, perhaps. Or the value is this very error.
            failures += 1
            if isinstance(error, TaskFailed) or failures > FETCH_RETRIES:
                raise
            await asyncio.sleep(FETCH_RETRY_S)
        except TimeoutError:
            if not patience.expired():
                raise  # so it is the value that is this error
        else:
            if type(value) is not Later:
                return value, reply
