"""In an asyncio program the node lives on the program's own loop, and results are awaited like anything else."""

from __future__ import annotations

import asyncio

import partisan_actors as pa


@pa.actor
class Room:
    """A chat room. Its methods interleave where they wait, so a thousand readers cost no threads."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.news = asyncio.Condition()

    async def say(self, who: str, line: str) -> None:
        async with self.news:
            self.lines.append(f"{who}: {line}")
            self.news.notify_all()

    async def line(self, number: int) -> str:
        """The line of that number, waiting until somebody says it."""
        async with self.news:
            await self.news.wait_for(lambda: len(self.lines) > number)
            return self.lines[number]


async def main() -> None:
    async with pa.init(workers=2):
        room = Room.remote()

        # These wait on the room's node for lines that nobody has said yet.
        readers = [room.line.remote(number) for number in range(3)]

        # `tell` sends and wants no answer.
        for who, line in [("ann", "hello"), ("bob", "hello ann"), ("ann", "how are you?")]:
            room.say.tell(who, line)

        for line in await asyncio.gather(*readers):
            print(line)

        # A deadline is the caller's: the reader goes on waiting over there, but nobody here waits for it.
        try:
            await room.line.options(timeout=0.1).remote(99)
        except TimeoutError as error:
            print("timed out:", error)


if __name__ == "__main__":
    asyncio.run(main())
