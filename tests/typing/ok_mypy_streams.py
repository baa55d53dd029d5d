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
