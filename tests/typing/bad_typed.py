"""Mistakes with methods under @method. `# error` ends each line that every checker reports."""

from __future__ import annotations

import partisan_actors as pa


@pa.actor
class Counter:
    @pa.method
    def add(self, k: int) -> int:
        self.add("1")  # error
        return k

    @pa.method
    async def read(self) -> str:
        return ""

    def plain(self) -> int:
        return 1

    @pa.method(num_returns=2)
    def two(self, text: str) -> tuple[int, int]:
        return len(text), self.two("")[0] + self.two(1)[1]  # error


def calling(handle: pa.ActorHandle[Counter]) -> None:
    c = pa.typed(handle)
    c.add.remote("5")  # error
    c.add.remote(k="5")  # error
    c.add.remote()  # error
    c.add.remote(1, 2)  # error
    c.add.tell("5")  # error
    c.add.options(timeout=1.0).remote("5")  # error
    c.add.options(time=1.0)  # error
    c.two.remote(5)  # error
    c.two.remote("").result()  # error
    c.ad.remote(5)  # error
    c.plain.remote()  # error
    number: int = c.add.remote(5)  # error
    text: str = c.add.remote(5).result()  # error
    numbers: list[int] = pa.get([c.read.remote()])  # error
    c.add.remote(k=c.read.remote().as_argument())  # error
    pa.put((number, text, numbers))


async def awaiting(handle: pa.ActorHandle[Counter]) -> None:
    number: int = await pa.typed(handle).read.remote()  # error
    pa.put(number)


def topics(room: str) -> None:
    def no_parameter() -> None: ...

    pa.broadcast(room)  # error
    pa.broadcast(1, "value")  # error
    pa.broadcast(room, "value", "bulk")  # error
    pa.subscribe(room, "print")  # error
    pa.subscribe(room, no_parameter)  # error
    pa.subscribe(room)  # error
