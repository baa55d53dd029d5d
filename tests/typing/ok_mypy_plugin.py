"""What mypy knows with the plugin and no other checker can: handles of plain classes, references by keyword."""

from __future__ import annotations

from typing import Any, TypeVar, assert_type, overload

import partisan_actors as pa

T = TypeVar("T")


@pa.actor
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.total = start

    def add(self, k: int, *rest: int, twice: bool = False) -> int:
        self.total += k
        return self.total

    async def read(self) -> str:
        return str(self.total)

    @pa.method
    def reset(self) -> None:
        self.total = 0

    @staticmethod
    def limit() -> int:
        return 100

    @classmethod
    def made(cls) -> bytes:
        return b""


@pa.actor
class Derived(Counter):
    def more(self) -> list[int]:
        return [self.total]


@pa.actor
class Shapes:
    @overload
    def either(self, value: int) -> int: ...
    @overload
    def either(self, value: str) -> str: ...
    def either(self, value: int | str) -> int | str:
        return value

    def same(self, value: T) -> T:
        return value


@pa.task
def square(x: int) -> int:
    return x * x


def plain_methods_are_typed(c: pa.ActorHandle[Counter]) -> None:
    assert_type(c.add, pa.ActorMethod[[int], int])  # type: ignore[assert-type]  # the names of parameters are kept
    assert_type(c.add.remote(5), pa.ObjectRef[int])
    assert_type(c.add.remote(5, 6, 7, twice=True), pa.ObjectRef[int])
    assert_type(c.add.options(timeout=1.0).remote(k=5), pa.ObjectRef[int])
    assert_type(c.read.remote(), pa.ObjectRef[str])
    assert_type(c.reset.remote(), pa.ObjectRef[None])
    assert_type(c.limit.remote(), pa.ObjectRef[int])
    assert_type(c.made.remote(), pa.ObjectRef[bytes])
    assert_type(pa.get([c.add.remote(1)]), list[int])
    c.add.tell(1, twice=True)
    derived = Derived.remote(3)
    assert_type(derived.add.remote(1), pa.ObjectRef[int])
    assert_type(derived.more.remote(), pa.ObjectRef[list[int]])


def what_a_handle_cannot_hold_is_unchecked(shapes: pa.ActorHandle[Shapes]) -> None:
    assert_type(shapes.either.remote(1), pa.ObjectRef[Any])
    assert_type(shapes.same.remote(1), pa.ObjectRef[Any])


def references_go_anywhere(c: pa.ActorHandle[Counter]) -> None:
    ref = c.add.remote(1)
    assert_type(square.remote(x=ref), pa.ObjectRef[int])
    assert_type(Counter.remote(start=ref), pa.ActorHandle[Counter])
    assert_type(Counter.options(num_cpus=1).remote(start=ref), pa.ActorHandle[Counter])
    assert_type(c.add.remote(ref, ref, ref), pa.ObjectRef[int])
    assert_type(c.add.remote(k=ref, twice=pa.put(True)), pa.ObjectRef[int])
    c.add.tell(k=ref)
