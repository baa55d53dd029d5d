"""Generators, several results and cancelling, behind `typed`: every checker knows what calls give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

import partisan_actors as pa


@pa.actor(concurrency_groups={"io": 2}, max_task_retries=2, max_pending_calls=100)
class Source:
    @pa.method
    def numbers(self, most: int) -> Iterator[int]:
        yield from range(most)

    @pa.method
    async def words(self) -> AsyncIterator[str]:
        yield "word"

    @pa.method
    def pair(self) -> tuple[int, str]:
        return 1, "word"

    @pa.method(num_returns=2, concurrency_group="io", max_task_retries=-1, retry_exceptions=[ValueError])
    def both(self) -> tuple[int, str]:
        return self.pair()


@pa.task
def squares(most: int) -> Iterator[int]:
    yield from range(most)


@pa.task(num_cpus=2)
async def letters() -> AsyncIterator[str]:
    yield "a"


def tasks() -> None:
    assert_type(squares.remote(5), pa.ObjectRefGenerator[int])
    assert_type(letters.remote(), pa.ObjectRefGenerator[str])
    assert_type(squares.options(generator_backpressure=2).remote(5), pa.ObjectRefGenerator[int])


def streaming(handle: pa.ActorHandle[Source]) -> None:
    source = pa.typed(handle)
    stream = source.numbers.remote(5)
    assert_type(stream, pa.ObjectRefGenerator[int])
    assert_type(next(stream), pa.ObjectRef[int])
    assert_type([pa.get(ref) for ref in stream], list[int])
    assert_type(stream.completed(), pa.ObjectRef[None])
    assert_type(stream.next_ready(), bool)
    assert_type(source.words.remote(), pa.ObjectRefGenerator[str])
    source.numbers.tell(5)
    pa.cancel(stream)
    pa.cancel(source.pair.remote(), recursive=False)


async def streaming_soon(handle: pa.ActorHandle[Source]) -> None:
    async for ref in pa.typed(handle).words.remote():
        assert_type(await ref, str)


def with_options(handle: pa.ActorHandle[Source]) -> None:
    pair = pa.typed(handle).pair
    assert_type(pair.options(max_task_retries=1).remote(), pa.ObjectRef[tuple[int, str]])
    assert_type(pair.options(num_returns=2).remote(), Any)


@pa.task(num_returns=2)
def two(text: str) -> tuple[int, int]:
    return len(text), 0


@pa.task(num_returns=2, max_retries=1)
async def two_soon(text: str) -> list[str]:
    return [text, text]


@pa.task(num_returns=0)
def none_of_it(text: str) -> str:
    return text


@pa.task(num_returns=3)
def three() -> Iterator[bytes]:
    yield from (b"", b"", b"")


@pa.task(num_returns="dynamic")
def some(most: int) -> Iterator[int]:
    yield from range(most)


def several() -> None:
    assert_type(two.remote("a"), list[pa.ObjectRef[int]])
    assert_type(two.remote(pa.put("a")), list[pa.ObjectRef[int]])
    assert_type(two_soon.remote("a"), list[pa.ObjectRef[str]])
    assert_type(pa.get(two_soon.remote("a")), list[str])
    assert_type(three.remote(), list[pa.ObjectRef[bytes]])
    assert_type(some.remote(2), pa.ObjectRef[list[pa.ObjectRef[int]]])
    none_of_it.remote("a")
    assert_type(squares.options(num_returns=2).remote(2), list[pa.ObjectRef[int]])
    assert_type(squares.options(num_returns="dynamic").remote(2), pa.ObjectRef[list[pa.ObjectRef[int]]])
    assert_type(letters.options(num_cpus=1).remote(), pa.ObjectRefGenerator[str])


@pa.actor(concurrency_groups={"io": 2})
class Several:
    @pa.method(num_returns=2, concurrency_group="io")
    def both(self, left: int) -> tuple[int, int]:
        return left, 0

    @pa.method(num_returns=0)
    async def none_of_it(self) -> int:
        return (await self.soon()) + self.one("a") + self.both(1)[0]

    @pa.method(max_task_retries=-1)
    def one(self, text: str) -> int:
        return len(text)

    @pa.method(concurrency_group="io")
    async def soon(self) -> int:
        return 1

    @pa.method(generator_backpressure=2)
    def items(self) -> Iterator[str]:
        yield "a"

    @pa.method(num_returns="dynamic")
    async def some(self) -> AsyncIterator[str]:
        yield "a"


def of_methods(handle: pa.ActorHandle[Several]) -> None:
    made = pa.typed(handle)
    assert_type(made.both.remote(1), list[pa.ObjectRef[int]])
    assert_type(made.one.remote("a"), pa.ObjectRef[int])
    assert_type(made.soon.remote(), pa.ObjectRef[int])
    assert_type(made.items.remote(), pa.ObjectRefGenerator[str])
    assert_type(made.some.remote(), pa.ObjectRef[list[pa.ObjectRef[str]]])
    made.none_of_it.remote()
    made.both.tell(1)
