"""What an entrant is: how the users of one framework do each piece of work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Any, ClassVar, Final

from partisan_actors.cli.bench.frameworks.work import MIB, WORK, Piece

__all__ = ["AwaitedEntrant", "Entrant", "new_array", "new_bytes"]

WARM_UP: Final = 3
OPERATIONS_MAX: Final = 200_000


class Entrant:
    """Has a method for each piece of work it can do, under the piece's name, which does it once and waits for the end.

    A piece that needs something new each time has a method `fresh_NAME`, whose result is passed on, and whose time
    does not count. `made` says how many actors `create` and `create_isolated` make in one go.
    """

    name: ClassVar[str]
    made: ClassVar[dict[str, int]] = {"create": 1_000, "create_isolated": 20}

    def version(self) -> str:
        """What was measured."""
        raise NotImplementedError

    def start(self) -> None:
        """Start everything and have the first call answered."""
        raise NotImplementedError

    def settle(self) -> None:
        """Prepare what more than one piece of work needs."""
        raise NotImplementedError

    def stop(self) -> None:
        """End everything."""
        raise NotImplementedError

    def offers(self) -> list[Piece]:
        """What it can do, in the table's order."""
        return [piece for piece in WORK if hasattr(self, piece.name)]

    def measure(self, piece: Piece, seconds: float) -> float:
        """The median of what was done within `seconds`, as `piece` has it: a rate, or an amount."""
        operation: Callable[..., Any] = getattr(self, piece.name)
        fresh: Callable[[], Any] | None = getattr(self, f"fresh_{piece.name}", None)
        count = self.made.get(piece.name, piece.count)
        warm_up = WARM_UP if piece.name not in self.made else 1
        samples = self._sample(operation, fresh, seconds, warm_up)
        samples.sort()
        return count / samples[len(samples) // 2]

    def _sample(
        self, operation: Callable[..., Any], fresh: Callable[[], Any] | None, seconds: float, warm_up: int
    ) -> list[float]:
        for _ in range(warm_up):
            operation(*(() if fresh is None else (fresh(),)))
        samples: list[float] = []
        end = perf_counter() + seconds
        while (perf_counter() < end or len(samples) < WARM_UP) and len(samples) < OPERATIONS_MAX:
            given = () if fresh is None else (fresh(),)
            begin = perf_counter()
            operation(*given)
            samples.append(perf_counter() - begin)
        return samples


class AwaitedEntrant(Entrant):
    """Whose operations are coroutine functions, run on `loop`."""

    loop: asyncio.AbstractEventLoop

    def _sample(
        self, operation: Callable[..., Any], fresh: Callable[[], Any] | None, seconds: float, warm_up: int
    ) -> list[float]:
        return self.loop.run_until_complete(self._sampled(operation, fresh, seconds, warm_up))

    async def _sampled(
        self, operation: Callable[..., Any], fresh: Callable[[], Any] | None, seconds: float, warm_up: int
    ) -> list[float]:
        for _ in range(warm_up):
            await operation(*(() if fresh is None else (fresh(),)))
        samples: list[float] = []
        end = perf_counter() + seconds
        while (perf_counter() < end or len(samples) < WARM_UP) and len(samples) < OPERATIONS_MAX:
            given = () if fresh is None else (fresh(),)
            begin = perf_counter()
            await operation(*given)
            samples.append(perf_counter() - begin)
        return samples


def new_bytes() -> bytes:
    """A mebibyte."""
    return bytes(MIB)


def new_array() -> Any:
    """A hundred mebibytes that have all been written to, so that no system's first touch is timed."""
    import numpy

    return numpy.ones(100 * MIB // 8)
