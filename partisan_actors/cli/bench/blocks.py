"""The rows about large values between processes of one host: what `put`, `get` and arguments cost beside one copy."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from time import perf_counter
from typing import Any

import partisan_actors as pa
from partisan_actors.cli.bench.pinning import pinned, separate_layout
from partisan_actors.cli.bench.rows import BLOCK_BYTES, PAYLOAD_BYTES
from partisan_actors.cli.bench.samples import Summary
from partisan_actors.cli.bench.turns import Plan

__all__ = ["Block", "Reader", "block_argument", "calls_on_a_block", "put_and_get", "put_and_get_small"]

SMALL_AT_ONCE = 50
CALLS_AT_ONCE = 100


class Block:
    """So many bytes, pickled as an array is: out of band."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return Block, (pickle.PickleBuffer(self.data),)


@pa.actor
class Reader:
    """Looks at blocks in its own process."""

    def process(self) -> int:
        """The process this actor lives in."""
        return os.getpid()

    def ends(self, block: Block) -> tuple[int, int]:
        """The first and the last byte: that they are there."""
        data = memoryview(block.data)
        return data[0], data[-1]


def put_and_get_small(plan: Plan) -> Summary:
    """How many copies of 1 MiB it takes to put that here and get it there."""
    return _in_copies(plan, PAYLOAD_BYTES, SMALL_AT_ONCE, _put_and_get)


def put_and_get(plan: Plan) -> Summary:
    """The same for 100 MiB."""
    return _in_copies(plan, BLOCK_BYTES, 1, _put_and_get)


def block_argument(plan: Plan) -> Summary:
    """How many copies it takes to call with 100 MiB that were never sent before."""
    return _in_copies(plan, BLOCK_BYTES, 1, lambda reader, block: pa.get(reader.ends.remote(block)))


def calls_on_a_block(plan: Plan) -> Summary:
    """Calls a second, one at a time, with a ref to 100 MiB that were put once."""
    with pa.init(workers=1):
        reader = Reader.remote()
        ref = pa.put(Block(bytearray(BLOCK_BYTES)))
        with pinned(separate_layout(), (pa.get(reader.process.remote()),)):
            pa.get(reader.ends.remote(ref))
            rates = []
            for _ in range(plan.repeats):
                with plan.watch():
                    began = perf_counter()
                    for _ in range(CALLS_AT_ONCE):
                        pa.get(reader.ends.remote(ref))
                    rates.append(CALLS_AT_ONCE / (perf_counter() - began))
        return Summary.of([[rate] for rate in rates])


def _put_and_get(reader: Any, block: Block) -> object:
    return pa.get(reader.ends.remote(pa.put(block)))


def _in_copies(plan: Plan, size: int, times: int, operation: Callable[[Any, Block], object]) -> Summary:
    source, target = bytearray(size), bytearray(size)
    with pa.init(workers=1):
        reader = Reader.remote()
        with pinned(separate_layout(), (pa.get(reader.process.remote()),)):
            operation(reader, Block(source))
            ratios = []
            for _ in range(plan.repeats):
                began = perf_counter()
                for _ in range(times):
                    target[:] = source
                copied = perf_counter()
                with plan.watch():
                    for _ in range(times):
                        operation(reader, Block(source))
                ratios.append((perf_counter() - copied) / (copied - began))
        return Summary.of([[ratio] for ratio in ratios])
