"""Mistakes with tasks. `# error` ends a line that every checker reports, `# error: NAME` one that only NAME can."""

from __future__ import annotations

import partisan_actors as pa


@pa.task
def square(x: int) -> int:
    return x * x


@pa.task(num_cpus=2)
async def fetch(url: str, *, size: int) -> bytes:
    return url.encode()


@pa.task(num_cpu=2)  # error
def misconfigured() -> None:
    pass


@pa.task(num_returns=2)
def two(text: str) -> tuple[int, int]:
    return len(text), 0


@pa.task(num_returns=2)  # error
def only_one() -> int:
    return 1


@pa.task(num_returns="dynamic")  # error
def no_generator() -> list[int]:
    return []


def several() -> None:
    two.remote(1)  # error
    number: int = two.remote("a").result()  # error
    texts: list[str] = pa.get(two.remote("a"))  # error
    pa.put((number, texts))


def calling() -> None:
    square.remote("3")  # error
    square.remote(x="3")  # error
    square.remote(y=3)  # error
    square.remote()  # error
    square.remote(1, 2)  # error
    fetch.remote("u")  # error
    fetch.remote("u", size="1")  # error
    square.options(num_cpus=2).remote("3")  # error
    square.options(cpus=2)  # error
    number: int = square.remote(3)  # error
    pa.put(number + square.remote(3))  # error


def getting(refs: list[pa.ObjectRef[int]]) -> None:
    text: str = pa.get(square.remote(3))  # error
    texts: list[str] = pa.get(refs)  # error
    both: tuple[list[pa.ObjectRef[str]], list[pa.ObjectRef[str]]] = pa.wait(refs)  # error
    pa.get(3)  # error
    pa.wait(square.remote(3))  # error
    stored: pa.ObjectRef[str] = pa.put(b"")  # error
    pa.put((text, texts, both, stored))


async def awaiting() -> None:
    number: int = await fetch.remote("u", size=1)  # error
    pa.put(number)


def passing_references() -> None:
    text = pa.put("3")
    square.remote(x=text)  # error
    square.remote(text.as_argument())  # error
    # Without the plugin, a call with a reference among its first arguments is not checked any further.
    square.remote(text)  # error: mypy
    # Without the plugin, a reference by keyword is refused even where it is right: `as_argument` says what is meant.
    square.remote(x=square.remote(3))  # error: basedpyright
