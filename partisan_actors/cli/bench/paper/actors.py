"""The actors of the experiments. Importing this brings in nothing but the public API."""

from __future__ import annotations

import asyncio
import os
import random
import time
from typing import Any

import partisan_actors as pa

__all__ = ["KEYS", "Client", "Receiver", "Sender", "Vnode"]

KEYS = 10_000
REPLICAS = 3
QUORUM = 2
READS_OF_TEN = 9
SPREAD_OF_KEYS = KEYS / 6  # the keys are normally distributed; six deviations cover all of them
STORAGE_S = 0.001


@pa.actor(num_cpus=0)
class Receiver:
    """Takes messages and answers that it has them: the acknowledgement of stop-and-wait."""

    async def take(self, payload: Any) -> bool:
        """True, once all of `payload` is here."""
        return len(payload) > 0


@pa.actor(num_cpus=0)
class Sender:
    """Sends to one receiver, one message at a time."""

    def __init__(self, number: int, seed: int) -> None:
        self._number = number
        self._rng = random.Random(seed * 1_000_003 + number)

    async def run(
        self, receiver: Any, size: int, channel: str | None, key: str | None, seconds: float, messages: int
    ) -> list[float]:
        """Send for so many `seconds`, at least one and at most so many messages of `size` bytes; seconds for each.

        With the `key` "sender" every message has this sender's partition key, with "random" each has another.
        """
        payload = os.urandom(size)
        fixed = self._number if key == "sender" else None
        took: list[float] = []
        ends = time.monotonic() + seconds
        while len(took) < messages and (not took or time.monotonic() < ends):
            chosen = self._rng.getrandbits(32) if key == "random" else fixed
            take = receiver.take
            if channel is not None:
                take = take.options(channel=channel, partition_key=chosen)
            begin = time.perf_counter()
            await take.remote(payload)
            took.append(time.perf_counter() - begin)
        return took


@pa.actor(num_cpus=0)
class Vnode:
    """A partition of the services' ring.

    Its storage takes a moment and keeps no values, as in the paper: all values of one run have one size.
    """

    def __init__(self, size: int) -> None:
        self._value = os.urandom(size)

    async def echo(self, payload: Any) -> Any:
        """The payload again."""
        return payload

    async def get(self, key: int) -> Any:
        """The value of a key."""
        await asyncio.sleep(STORAGE_S)
        return self._value

    async def put(self, key: int, value: Any) -> bool:
        """Store a value."""
        await asyncio.sleep(STORAGE_S)
        return len(value) > 0


@pa.actor(num_cpus=0)
class Client:
    """Uses a service of the ring, one operation at a time."""

    def __init__(self, number: int, seed: int) -> None:
        self._number = number
        self._rng = random.Random(seed * 1_000_003 + number)

    async def run(
        self, service: str, ring: list[Any], size: int, channel: str | None, key: str | None, seconds: float
    ) -> list[float]:
        """Operations for so many `seconds`, at least one: seconds that each took."""
        payload = os.urandom(size)
        operate = {"echo": self._echo, "kvs": self._kvs}[service]
        took: list[float] = []
        ends = time.monotonic() + seconds
        while not took or time.monotonic() < ends:
            begin = time.perf_counter()
            await operate(ring, payload, channel, key)
            took.append(time.perf_counter() - begin)
        return took

    def _over(self, method: Any, channel: str | None, key: str | None) -> Any:
        if channel is None:
            return method
        chosen = {"sender": self._number, "random": self._rng.getrandbits(32)}.get(key or "")
        return method.options(channel=channel, partition_key=chosen)

    async def _echo(self, ring: list[Any], payload: bytes, channel: str | None, key: str | None) -> None:
        await self._over(self._rng.choice(ring).echo, channel, key).remote(payload)

    async def _kvs(self, ring: list[Any], payload: bytes, channel: str | None, key: str | None) -> None:
        """One read or write: every replica is asked, and the first QUORUM answers end it."""
        wanted = int(min(max(self._rng.gauss(KEYS / 2, SPREAD_OF_KEYS), 0), KEYS - 1))
        first = wanted % len(ring)
        replicas = [ring[(first + step) % len(ring)] for step in range(REPLICAS)]
        if self._rng.randrange(10) < READS_OF_TEN:
            refs = [self._over(replica.get, channel, key).remote(wanted) for replica in replicas]
        else:
            refs = [self._over(replica.put, channel, key).remote(wanted, payload) for replica in replicas]
        waiting = [asyncio.ensure_future(_result(ref)) for ref in refs]
        for done in range(REPLICAS):
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if sum(task.done() for task in waiting) >= QUORUM or done == QUORUM:
                break
        for task in waiting:
            task.add_done_callback(_ignore)


async def _result(ref: Any) -> Any:
    return await ref


def _ignore(task: asyncio.Future[Any]) -> None:
    """A late answer is not waited for, and its failure nobody's business."""
    if not task.cancelled():
        task.exception()
