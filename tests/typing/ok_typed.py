"""Methods under @method, behind `typed`: every checker knows every call."""

from __future__ import annotations

from typing import assert_type

import partisan_actors as pa


@pa.actor
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.total = start

    @pa.method
    def add(self, k: int, *, twice: bool = False) -> int:
        self.total += 2 * k if twice else k
        return self.total

    @pa.method
    async def read(self) -> str:
        assert_type(self.add(1), int)
        assert_type(await self.later(), bytes)
        return str(self.total)

    @pa.method
    async def later(self) -> bytes:
        return b""

    @pa.method
    def reset(self) -> None:
        self.total = 0


def calling(handle: pa.ActorHandle[Counter]) -> None:
    c = pa.typed(handle)
    ref = c.add.remote(5)
    assert_type(ref, pa.ObjectRef[int])
    assert_type(ref.result(timeout=1), int)
    assert_type(c.add.remote(k=5, twice=True), pa.ObjectRef[int])
    assert_type(c.read.remote(), pa.ObjectRef[str])
    assert_type(c.later.remote(), pa.ObjectRef[bytes])
    assert_type(c.reset.remote(), pa.ObjectRef[None])
    assert_type(c.add.options(timeout=1.0).remote(5), pa.ObjectRef[int])
    assert_type(c.add.remote(ref), pa.ObjectRef[int])
    assert_type(c.add.remote(k=ref.as_argument()), pa.ObjectRef[int])
    assert_type(pa.get([c.add.remote(1), c.add.remote(2)]), list[int])
    c.add.tell(1)
    c.add.options(timeout=None).tell(ref)


def creating() -> None:
    handle = Counter.remote(10)
    assert_type(handle, pa.ActorHandle[Counter])
    calling(handle)
    assert_type(pa.typed(handle).add.remote(1), pa.ObjectRef[int])
    # The handle itself still takes any call.
    number: int = handle.add.remote(5).result()
    pa.put(number)


async def awaiting(handle: pa.ActorHandle[Counter]) -> None:
    assert_type(await pa.typed(handle).read.remote(), str)


def topics(handle: pa.ActorHandle[Counter], room: str) -> None:
    def hear(value: str) -> None: ...

    async def hear_async(value: bytes) -> None: ...

    assert_type(pa.broadcast(room, {"any": "value"}, channel="bulk", to_self=False), None)
    subscription = pa.subscribe(room, hear)
    assert_type(subscription, pa.Subscription)
    assert_type(subscription.dropped, int)
    pa.subscribe(room, hear_async)
    pa.subscribe(room, handle.add)
    pa.subscribe(room, pa.typed(handle).add)
    with pa.subscribe(room, print) as printing:
        printing.cancel()
