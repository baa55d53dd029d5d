"""Tasks, and the functions that take references."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar, assert_type

import partisan_actors as pa

T = TypeVar("T")


@pa.task
def square(x: int) -> int:
    return x * x


@pa.task(num_cpus=2)
def join(left: str, right: str = "", *more: str, separator: str = " ") -> str:
    return separator.join((left, right, *more))


@pa.task
async def fetch(url: str) -> bytes:
    return url.encode()


@pa.task(max_retries=1)
async def fetch_again(url: str) -> bytes:
    return url.encode()


@pa.task
def first(values: list[T]) -> T:
    return values[0]


@pa.task(num_cpus=1)
def second(values: list[T]) -> T:
    return values[1]


def plain(x: int) -> str:
    return str(x)


def calling() -> None:
    ref = square.remote(3)
    assert_type(ref, pa.ObjectRef[int])
    assert_type(square.remote(x=3), pa.ObjectRef[int])
    assert_type(square.options(num_cpus=2).remote(3), pa.ObjectRef[int])
    assert_type(join.remote("a", "b", "c", separator=","), pa.ObjectRef[str])
    assert_type(join.options(num_cpus=1).remote("a"), pa.ObjectRef[str])
    assert_type(fetch.remote("u"), pa.ObjectRef[bytes])
    assert_type(fetch_again.remote("u"), pa.ObjectRef[bytes])
    assert_type(pa.task(plain).remote(3), pa.ObjectRef[str])
    assert_type(pa.task(num_cpus=1)(plain).remote(3), pa.ObjectRef[str])
    number: int = first.remote([1, 2]).result()
    number += second.remote([1, 2]).result()
    pa.put(number)
    assert_type(list(map(square.remote, range(3))), list[pa.ObjectRef[int]])


def passing_references() -> None:
    ref = square.remote(3)
    assert_type(square.remote(ref), pa.ObjectRef[int])
    assert_type(square.remote(ref.as_argument()), pa.ObjectRef[int])
    assert_type(square.remote(x=ref.as_argument()), pa.ObjectRef[int])
    text = pa.put("a")
    assert_type(join.remote(text), pa.ObjectRef[str])
    assert_type(join.remote("a", text), pa.ObjectRef[str])
    assert_type(join.remote("a", "b", "c", "d", "e", text, separator="-"), pa.ObjectRef[str])
    assert_type(join.remote(text, text, *[text, text]), pa.ObjectRef[str])


def getting(refs: list[pa.ObjectRef[int]], anything: Any) -> None:
    assert_type(pa.get(square.remote(3)), int)
    assert_type(pa.get(refs), list[int])
    assert_type(pa.get(refs, timeout=2), list[int])
    assert_type(square.remote(3).result(timeout=1), int)
    assert_type(pa.put(b"x"), pa.ObjectRef[bytes])
    ready, rest = pa.wait(refs, num_returns=1, timeout=1)
    assert_type(ready, list[pa.ObjectRef[int]])
    assert_type(rest, list[pa.ObjectRef[int]])
    square.remote(anything)


def measure(ref: pa.ObjectRef[float | None], refs: Sequence[pa.ObjectRef[object]]) -> None:
    pa.wait(refs, num_returns=len(refs))
    pa.put(ref.result())


def widening(ref: pa.ObjectRef[int], refs: list[pa.ObjectRef[int]]) -> None:
    measure(ref, refs)


async def awaiting() -> None:
    assert_type(await square.remote(3), int)
    assert_type(await fetch.remote("u"), bytes)
    assert_type(await asyncio.gather(square.remote(1), fetch.remote("u")), tuple[int, bytes])
    assert_type(await asyncio.wait_for(square.remote(1), 1), int)
