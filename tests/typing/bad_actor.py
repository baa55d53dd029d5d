"""Mistakes with actors. `# error` ends a line that every checker reports, `# error: NAME` one that only NAME can."""

from __future__ import annotations

import partisan_actors as pa


@pa.actor
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.total = start

    def add(self, k: int) -> int:
        return k

    async def read(self) -> int:
        return self.total


@pa.actor(max_restarts=1)
class Pair:
    def __init__(self, left: int, *, right: str) -> None:
        self.left = left


@pa.actor(restarts=1)  # error
class Misconfigured:
    pass


def creating() -> None:
    Counter.remote("ten")  # error
    Counter.remote(start="ten")  # error
    Counter.remote(1, 2)  # error
    Counter.remote(stop=1)  # error
    Pair.remote()  # error
    Pair.remote(1)  # error
    Pair.remote(1, right=2)  # error
    Pair.options(num_cpus=1).remote(1)  # error
    Pair.options(num_cpus=1).remote("1", right="2")  # error
    Counter.options(num_cpu=1)  # error
    Counter.options(num_cpus="all")  # error
    Counter.options(placement="anywhere")  # error
    pair: pa.ActorHandle[Pair] = Counter.remote(1)  # error
    pa.kill(pair)
    pa.kill(Counter)  # error
    Counter.remote(start=pa.put(1))  # error: basedpyright


class Plain:
    def __init__(self, size: int = 0) -> None:
        self.size = size

    def grow(self, by: int) -> int:
        return self.size + by


Remote = pa.actor(Plain)


def from_a_class_of_somebody_else() -> None:
    Remote.remote("3")  # error
    Remote.options(num_cpus=1).remote("3")  # error
    Remote.remote(3).grow.remote("3")  # error: mypy


def without_a_cluster() -> None:
    Counter.cls("ten")  # error
    Counter.cls(1).ad(2)  # error


def calling(c: pa.ActorHandle[Counter]) -> None:
    c.add.remote("5")  # error: mypy
    c.add.remote()  # error: mypy
    c.add.remote(1, 2)  # error: mypy
    c.add.tell("5")  # error: mypy
    c.add.options(timeout=1.0).remote("5")  # error: mypy
    c.ad.remote(5)  # error: mypy
    c.add.remote(pa.put("5"))  # error: mypy
    text: str = c.read.remote().result()  # error: mypy
    c.add(5)  # error
    c.add.options(time=1.0)  # error
    number: int = c.add.remote(5)  # error
    pa.put((text, number))


async def awaiting(c: pa.ActorHandle[Counter]) -> None:
    text: str = await c.read.remote()  # error: mypy
    pa.put(text)
