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
