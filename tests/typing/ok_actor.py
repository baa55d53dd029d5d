"""Plain actors, nothing decorated but the class: no checker may object to any of this."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, assert_type, overload

import partisan_actors as pa

T = TypeVar("T")


@pa.actor
class Counter:
    LIMIT = 100

    def __init__(self, start: int = 0) -> None:
        self.total = start
        self.peer: pa.ActorHandle[Counter] | None = None

    def add(self, k: int) -> int:
        self.total += k
        return self.total

    async def read(self) -> int:
        return self.add(0)

    def reset(self) -> None:
        self.total = 0

    def befriend(self, peer: pa.ActorHandle[Counter]) -> None:
        self.peer = peer
        peer.add.tell(1)

    def merge(self, other: Counter) -> Counter:
        self.total += other.total
        return self

    @staticmethod
    def limit() -> int:
        return Counter.LIMIT


@pa.actor(max_restarts=1, num_cpus=0.5)
class Bank(ABC):
    @abstractmethod
    def balance(self) -> int: ...


@pa.actor
@dataclass
class Account(Bank):
    owner: str
    money: int = 0

    def balance(self) -> int:
        return self.money


@pa.actor
class Box(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value

    def take(self) -> T:
        return self.value


@pa.actor
class Shapes:
    """Methods that no handle can describe in full."""

    @overload
    def either(self, value: int) -> int: ...
    @overload
    def either(self, value: str) -> str: ...
    def either(self, value: int | str) -> int | str:
        return value

    def same(self, value: T) -> T:
        return value

    def many(self, *values: int, **named: str) -> list[int]:
        return list(values)

    @classmethod
    def made(cls) -> str:
        return cls.__name__

    @property
    def size(self) -> int:
        return 1


@pa.actor
class Derived(Counter):
    def __init__(self, name: str) -> None:
        super().__init__(3)
        self.name = name

    def twice(self, k: int) -> int:
        return self.add(k) + self.add(k)


class Plainly(Counter):
    """A plain class again: what derives from an actor class is one only when it says so."""

    def __init__(self, a: str, b: int) -> None:
        super().__init__(b)


def creating() -> None:
    c = Counter.remote(10)
    assert_type(c, pa.ActorHandle[Counter])
    assert_type(Counter.remote(), pa.ActorHandle[Counter])
    assert_type(Counter.remote(start=1), pa.ActorHandle[Counter])
    configured = Counter.options(name="hits", placement="spread", num_cpus=1, max_restarts=3)
    assert_type(configured.remote(1), pa.ActorHandle[Counter])
    assert_type(configured.options(num_cpus=2).remote(), pa.ActorHandle[Counter])
    assert_type(Account.remote("me", money=3), pa.ActorHandle[Account])
    assert_type(Box.options(num_cpus=1).remote(3).take.remote().result(), Any)
    Box.remote("text").take.remote()
    assert_type(Derived.remote("d"), pa.ActorHandle[Derived])
    Counter.remote(Counter.remote().add.remote(3))


def calling() -> None:
    c = Counter.remote(10)
    sync_ref: pa.ObjectRef[int] = c.add.remote(5)
    async_ref: pa.ObjectRef[int] = c.read.remote()
    nothing: pa.ObjectRef[None] = c.reset.remote()
    number: int = sync_ref.result(timeout=1)
    number += pa.get(async_ref)
    pa.get(nothing)
    c.add.remote(k=5)
    c.add.remote(sync_ref)
    c.add.remote(k=sync_ref)
    c.add.tell(1)
    c.add.tell(sync_ref)
    c.add.options(timeout=1.0).remote(5)
    c.befriend.remote(Counter.remote())
    c.befriend.remote(c)
    c.limit.remote()
    pa.kill(c)


def calling_what_no_handle_describes() -> None:
    shapes = Shapes.remote()
    number: pa.ObjectRef[int] = shapes.either.remote(1)
    text: pa.ObjectRef[str] = shapes.either.remote("a")
    same: pa.ObjectRef[int] = shapes.same.remote(3)
    pa.get([number, same])
    text.result()
    shapes.many.remote(1, 2, number, a="b")
    shapes.made.remote()


def inheriting(handle: pa.ActorHandle[Counter], kind: type[Counter]) -> None:
    derived = Derived.remote("d")
    derived.twice.remote(2)
    derived.add.remote(2)
    counters: list[pa.ActorHandle[Counter]] = [handle, derived]
    assert_type(kind.remote(2), pa.ActorHandle[Counter])
    total: int = sum(pa.get([each.add.remote(1) for each in counters]))
    pa.put(total)
    inheriting(derived, Counter)


def without_a_cluster() -> None:
    local = Counter.cls(3)
    total: int = local.add(4) + local.total + Counter.cls(start=4).merge(local).total
    total += Plainly("a", 2).add(3) + Derived.cls("d").twice(4)
    text: str = Box.cls("text").take()
    pa.put((total, text))


class Plain:
    def __init__(self, size: int = 0) -> None:
        self.size = size

    def grow(self, by: int) -> int:
        return self.size + by


Remote = pa.actor(Plain)
Restarted = pa.actor(max_restarts=2)(Plain)


def from_a_class_of_somebody_else() -> None:
    handle: pa.ActorHandle[Plain] = Remote.remote(3)
    size: int = handle.grow.remote(2).result() + pa.typed(handle).grow(3)
    handle = Remote.options(num_cpus=1).remote(size)
    handle = Restarted.remote(size)


def inside_a_function() -> None:
    @pa.actor
    class Local:
        def __init__(self, size: int) -> None:
            self.size = size

        def grow(self, by: int) -> int:
            return self.size + by

    handle = Local.remote(3)
    assert_type(handle, pa.ActorHandle[Local])
    size: int = handle.grow.remote(2).result()
    Local.options(num_cpus=1).remote(size)


def finding() -> None:
    found = pa.get_actor("hits")
    assert_type(found, pa.ActorHandle[Any])
    found.anything.remote(1, b=2)
    narrowed: pa.ActorHandle[Counter] = found
    inheriting(narrowed, Counter)


async def awaiting(handle: pa.ActorHandle[Counter]) -> int:
    number: int = await handle.add.remote(1)
    numbers: list[int] = await asyncio.gather(*[handle.add.remote(each) for each in range(3)])
    one: int = await asyncio.wait_for(handle.read.remote(), 1)
    return number + sum(numbers) + one
