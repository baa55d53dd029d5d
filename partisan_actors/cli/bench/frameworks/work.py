"""The work: what is measured, in which unit, and what we mean to be ahead by. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["COLD_START", "MEMORY", "WORK", "Piece", "piece"]

MIB: Final = 1 << 20
IN_FLIGHT: Final = 1_000
FANNED_OUT: Final = 4
ARRAY_MIB: Final = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """One row of the table.

    An entrant's method of that name does it once, and does it `count` times over in one go. Figures are rates
    (`per_second`), or what is given in `unit`, of which less is better. `aims` says how many times better than that
    entrant we mean to be, and `cost` where ours goes, for readers of an aim that is missed.
    """

    name: str
    title: str
    unit: str = "/s"
    count: int = 1
    aims: dict[str, float] = field(default_factory=dict)
    cost: str = ""

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self.unit.endswith("/s")


COLD_START: Final = "cold_start"
MEMORY: Final = "memory"
WORK: Final = (
    Piece("call", "actor calls, one at a time", aims={"ray": 20, "erlang": 1}),
    Piece("calls", "actor calls, 1,000 in flight", count=IN_FLIGHT, aims={"ray": 80, "erlang": 1}),
    Piece("one_to_n", "calls of 4 actors, 1,000 in flight", count=IN_FLIGHT),
    Piece("n_to_n", "2 actors call 2 others, 1,000 in flight each", count=2 * IN_FLIGHT),
    Piece("task", "tasks, one at a time", aims={"ray": 20}),
    Piece("tasks", "tasks, 1,000 in flight", count=IN_FLIGHT, aims={"ray": 20}),
    Piece("small_argument", "1 MiB of bytes as argument", unit="MiB/s"),
    Piece(
        "large_argument", "100 MiB array as argument, fresh each time", unit="MiB/s", count=ARRAY_MIB, aims={"ray": 2}
    ),
    Piece("small_put_get", "put and get 1 MiB of bytes", unit="MiB/s"),
    Piece("large_put_get", "put and get a 100 MiB array", unit="MiB/s", count=ARRAY_MIB),
    Piece("put_before", "calls with a 100 MiB array that was put", aims={"ray": 15}),
    Piece("create", "actors made and called once", aims={"ray": 200}),
    Piece("create_isolated", "actors with a process each, made and called once", aims={"ray": 5}),
    Piece(
        COLD_START,
        "from starting Python to the first answer",
        unit="s",
        aims={"ray": 10},
        cost="The program loads the package, and so does the process that its workers are forked from, at the same "
        "time, each on a core; that is most of it. The floor loads uvloop and msgpack only, and does nothing with them "
        "but call.",
    ),
    Piece(
        MEMORY,
        "memory of all processes, with one actor",
        unit="MiB",
        aims={"ray": 10},
        cost="These are three nodes: the program, and a worker for each core. Workers are forked, but counting "
        "references touches almost half of the pages that they share, and the program shares nothing with them.",
    ),
)


def piece(name: str) -> Piece:
    """The row of that name. Raises KeyError."""
    return {each.name: each for each in WORK}[name]
