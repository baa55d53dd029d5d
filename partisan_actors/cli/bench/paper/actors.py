"""The actors of the experiments. Importing this brings in nothing but the public API."""

from __future__ import annotations

import asyncio
import os
import random
import time
from functools import cache
from typing import Any

import partisan_actors as pa

__all__ = ["KEYS", "Client", "Operations", "Receiver", "Sender", "Vnode"]

KEYS = 10_000
REPLICAS = 3
QUORUM = 2
READS_OF_TEN = 9
SPREAD_OF_KEYS = KEYS / 6  # the keys are normally distributed; six deviations cover all of them
STORAGE_S = 0.001


@cache
def payload_of(size: int) -> bytes:
    """So many random bytes, the same each time: a gibibyte of them would take a node seconds in which it is silent."""
    return os.urandom(size)


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
        payload = payload_of(size)
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


def over(method: Any, channel: str | None, key: int | None) -> Any:
    """The method over that channel, or, without one, as a user has it who has chosen nothing."""
    return method if channel is None else method.options(channel=channel, partition_key=key)


@pa.actor(num_cpus=0)
class Vnode:
    """A partition of the services' ring. It answers on the channel and with the key that it was asked.

    Its storage takes a moment and keeps no values, as in the paper: all values of one run have one size.
    """

    def __init__(self, size: int) -> None:
        self._value = payload_of(size)

    async def echo(self, operation: int, client: Any, channel: str | None, key: int | None, payload: Any) -> None:
        """The payload again."""
        over(client.answer, channel, key).tell(operation, payload)

    async def get(self, operation: int, client: Any, channel: str | None, key: int | None, wanted: int) -> None:
        """The value of a key."""
        await asyncio.sleep(STORAGE_S)
        over(client.answer, channel, key).tell(operation, self._value)

    async def put(
        self, operation: int, client: Any, channel: str | None, key: int | None, wanted: int, value: Any
    ) -> None:
        """Store a value."""
        await asyncio.sleep(STORAGE_S)
        over(client.answer, channel, key).tell(operation, len(value) > 0)


class Operations:
    """The operations that wait for answers: each for so many, and those that come later are dropped."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[int, asyncio.Future[None]]] = {}
        self._last = 0

    def begin(self, answers: int) -> tuple[int, asyncio.Future[None]]:
        """A new one: its number, and what is done when it has its answers."""
        self._last += 1
        done = asyncio.get_running_loop().create_future()
        self._waiting[self._last] = answers, done
        return self._last, done

    def answered(self, operation: int) -> None:
        """One answer is here."""
        answers, done = self._waiting.pop(operation, (0, None))
        if answers > 1 and done is not None:
            self._waiting[operation] = answers - 1, done
        elif done is not None and not done.done():
            done.set_result(None)


@pa.actor(num_cpus=0)
class Client:
    """Uses a service of the ring, one operation at a time."""

    def __init__(self, number: int, seed: int) -> None:
        self._number = number
        self._rng = random.Random(seed * 1_000_003 + number)
        self._operations = Operations()

    async def answer(self, operation: int, value: Any) -> None:
        """A partition answers."""
        self._operations.answered(operation)

    async def run(
        self, me: Any, service: str, ring: list[Any], size: int, channel: str | None, key: str | None, seconds: float
    ) -> list[float]:
        """Operations for so many `seconds`, at least one: seconds that each took. `me` is this actor's handle."""
        payload = payload_of(size)
        operate = {"echo": self._echo, "kvs": self._kvs}[service]
        took: list[float] = []
        ends = time.monotonic() + seconds
        while not took or time.monotonic() < ends:
            chosen = self._rng.getrandbits(32) if key == "random" else self._number
            begin = time.perf_counter()
            await operate(ring, payload, me, channel, chosen)
            took.append(time.perf_counter() - begin)
        return took

    async def _echo(self, ring: list[Any], payload: bytes, me: Any, channel: str | None, key: int) -> None:
        operation, done = self._operations.begin(1)
        over(self._rng.choice(ring).echo, channel, key).tell(operation, me, channel, key, payload)
        await done

    async def _kvs(self, ring: list[Any], payload: bytes, me: Any, channel: str | None, key: int) -> None:
        """One read or write: every replica is asked, and the first QUORUM answers end it."""
        wanted = int(min(max(self._rng.gauss(KEYS / 2, SPREAD_OF_KEYS), 0), KEYS - 1))
        first = wanted % len(ring)
        is_read = self._rng.randrange(10) < READS_OF_TEN
        operation, done = self._operations.begin(QUORUM)
        for replica in (ring[(first + step) % len(ring)] for step in range(REPLICAS)):
            if is_read:
                over(replica.get, channel, key).tell(operation, me, channel, key, wanted)
            else:
                over(replica.put, channel, key).tell(operation, me, channel, key, wanted, payload)
        await done
