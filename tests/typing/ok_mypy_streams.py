"""What mypy knows with the plugin and no other checker can: generators of plain classes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import assert_type

import partisan_actors as pa


@pa.actor
class Source:
    def numbers(self, most: int) -> Generator[int, None, None]:
        yield from range(most)

    async def words(self) -> AsyncIterator[str]:
        yield "word"

    @pa.method
    async def marked(self) -> AsyncIterator[bytes]:
        yield b""


def streaming(source: pa.ActorHandle[Source], most: pa.ObjectRef[int]) -> None:
    assert_type(source.numbers.remote(5), pa.ObjectRefGenerator[int])
    assert_type(source.numbers.remote(most=most), pa.ObjectRefGenerator[int])
    assert_type(next(source.words.remote()), pa.ObjectRef[str])
    assert_type(source.marked.remote(), pa.ObjectRefGenerator[bytes])


@pa.actor(concurrency_groups={"io": 2})
class Several:
    @pa.method(num_returns=2, concurrency_group="io")
    def both(self, left: int) -> tuple[str, str]:
        return str(left), ""

    @pa.method(concurrency_group="io")
    async def soon(self) -> int:
        return 1


def several(handle: pa.ActorHandle[Several], left: pa.ObjectRef[int]) -> None:
    assert_type(handle.both.remote(1), list[pa.ObjectRef[str]])
    assert_type(handle.both.remote(left=left), list[pa.ObjectRef[str]])
    assert_type(handle.soon.remote(), pa.ObjectRef[int])
