"""Our side of each comparison, through the public API and written the way a user writes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import partisan_actors as pa
from partisan_actors.cli.bench.actors import Adder
from partisan_actors.cli.certs import make_certificates

__all__ = ["OurPeer", "on_background_loop", "on_own_loop", "on_own_loop_with_tls"]


class OurPeer:
    """An `Adder` on a worker node, as an `AwaitedPeer` and a `BlockingPeer`."""

    def __init__(self, adder: Any, pid: int) -> None:
        self._adder = adder
        self._pid = pid

    @property
    def pid(self) -> int:
        """The worker node's process."""
        return self._pid

    def add(self, amount: int) -> Awaitable[object]:
        """Add, by the async method."""
        ref: Awaitable[object] = self._adder.add.remote(amount)
        return ref

    def add_sync(self, amount: int) -> Awaitable[object]:
        """Add, by the sync method."""
        ref: Awaitable[object] = self._adder.add_sync.remote(amount)
        return ref

    def size(self, payload: bytes) -> Awaitable[object]:
        """The length of `payload`, as its receiver found it."""
        ref: Awaitable[object] = self._adder.size.remote(payload)
        return ref

    def add_and_get(self, amount: int) -> object:
        """Add and wait for the answer."""
        return pa.get(self._adder.add.remote(amount))

    def add_and_get_many(self, amount: int, calls: int) -> object:
        """Add `calls` times without waiting in between, then wait for every answer."""
        return pa.get([self._adder.add.remote(amount) for _ in range(calls)])


@asynccontextmanager
async def on_own_loop(**settings: Any) -> AsyncIterator[OurPeer]:
    """An adder on one worker node; this process's node runs on the running loop. `settings` are those of `init`."""
    async with pa.init(workers=1, **settings):
        adder = Adder.remote()
        yield OurPeer(adder, await adder.process.remote())


@asynccontextmanager
async def on_own_loop_with_tls() -> AsyncIterator[OurPeer]:
    """As `on_own_loop`, with a CA and a certificate made for the occasion. Raises Failure without `cryptography`."""
    with TemporaryDirectory(prefix="partisan-bench-tls-") as folder:
        make_certificates(Path(folder))
        async with pa.init(workers=1, tls=folder):
            adder = Adder.remote()
            yield OurPeer(adder, await adder.process.remote())


@contextmanager
def on_background_loop() -> Iterator[OurPeer]:
    """An adder on one worker node; this process's node runs on a loop in a thread of its own."""
    with pa.init(workers=1):
        adder = Adder.remote()
        yield OurPeer(adder, pa.get(adder.process.remote()))
