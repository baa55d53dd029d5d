"""A program for atheris: bytes that it finds by looking at which lines they reach, at a connection in either state."""

from __future__ import annotations

import asyncio
import random
import sys

import atheris

with atheris.instrument_imports(
    include=["partisan_actors.wire", "partisan_actors.transport", "partisan_actors.errors"]
):
    from tests.wiring import End, handshake, open_pair

from partisan_actors.errors import AuthenticationError, ProtocolError

LOOP = asyncio.new_event_loop()
CUTS = random.Random(1)


def one_input(data: bytes) -> None:
    """The first byte chooses: before the handshake or after it, in one piece or in many."""
    if data:
        LOOP.run_until_complete(_feed(data[0], data[1:]))


async def _feed(choice: int, data: bytes) -> None:
    is_open = choice & 1
    end = open_pair(message_bytes_max=1 << 16)[0] if is_open else End(handshake("b", dialler=False))
    end.feed(data, CUTS if choice & 2 else None)
    assert not end.failures
    assert not end.wire.is_closed or isinstance(end.close_error, (ProtocolError, AuthenticationError))
    assert is_open or not end.messages


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
