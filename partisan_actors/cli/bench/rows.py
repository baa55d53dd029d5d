"""The rows of the benchmark table: what is measured, in which unit, and the bound each row has to keep."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ROWS", "Bound", "Quantity", "Row", "Sense", "row_named"]

CALLS_IN_FLIGHT = 1_000
PAYLOAD_BYTES = 1 << 20
BLOCK_BYTES = 100 << 20
ACTORS_CREATED = 1_000
ACTORS_IDLE = 2_000
ISOLATED = 20
UNWANTED_MODULES = ("aiohttp", "opentelemetry", "click", "rich")
"""What a worker node has no use for until it is asked, and so must not pay for at start-up."""


class Sense(StrEnum):
    """On which side of its limit a figure has to stay."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


class Quantity(StrEnum):
    """What the figures of a row are."""

    LATENCY = "latency"
    """Seconds per operation on both sides; the ratio is ours over the floor's, so less is better."""
    RATE = "rate"
    """Seconds per operation on both sides too, but read as units per second; more is better."""
    ABSOLUTE = "absolute"
    """A figure of ours alone, in the row's unit."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit, and optionally the better figure that is aimed at."""

    sense: Sense
    limit: float
    aim: float | None = None

    def holds(self, value: float) -> bool:
        """Whether `value` keeps the bound. The limit itself does."""
        return value <= self.limit if self.sense is Sense.AT_MOST else value >= self.limit

    def worst(self, values: list[float]) -> float:
        """The value that is hardest on this bound. `values` must not be empty."""
        return max(values) if self.sense is Sense.AT_MOST else min(values)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: `unit` is that of one operation's figure, `units_per_operation` how many it moves."""

    key: str
    title: str
    quantity: Quantity
    bound: Bound
    unit: str
    how: str
    units_per_operation: float = 1.0


def _at_most(limit: float, aim: float | None = None) -> Bound:
    return Bound(Sense.AT_MOST, limit, aim)


def _at_least(limit: float, aim: float | None = None) -> Bound:
    return Bound(Sense.AT_LEAST, limit, aim)


_LATENCY_ROWS = (
    Row(
        "await-own-loop",
        "await an async method, own loop",
        Quantity.LATENCY,
        _at_most(1.5),
        "us",
        "`await actor.add.remote(1)`, one at a time, on the loop that entered `async with init()`.",
    ),
    Row(
        "await-other-thread",
        "await an async method, loop in another thread",
        Quantity.LATENCY,
        _at_most(4.0),
        "us",
        "The same call, one at a time, on a loop of the caller's; the node runs in the background after `with init()`.",
    ),
    Row(
        "sync-method",
        "await a sync method, own loop",
        Quantity.LATENCY,
        _at_most(3.0),
        "us",
        "The same method written with `def`, so that the worker runs it on the actor's own thread.",
    ),
    Row(
        "blocking-get",
        "blocking get, plain thread",
        Quantity.LATENCY,
        _at_most(3.0),
        "us",
        "`get(actor.add.remote(1))`, one at a time, from a thread without a loop.",
    ),
)

_RATE_ROWS = (
    Row(
        "in-flight",
        f"{CALLS_IN_FLIGHT:,} calls in flight, own loop",
        Quantity.RATE,
        _at_least(0.4, aim=0.6),
        "calls/s",
        f"{CALLS_IN_FLIGHT:,} calls are made, then every answer is awaited in order.",
        CALLS_IN_FLIGHT,
    ),
    Row(
        "without-sessions",
        f"{CALLS_IN_FLIGHT:,} calls in flight, no sessions",
        Quantity.RATE,
        _at_least(0.4),
        "calls/s",
        "The same with `init(session_resume_s=0)`: a lane ends with its connection, and nothing is kept to send again.",
        CALLS_IN_FLIGHT,
    ),
    Row(
        "with-checksums",
        f"{CALLS_IN_FLIGHT:,} calls in flight, checksums",
        Quantity.RATE,
        _at_least(0.35),
        "calls/s",
        "The same with `init(checksums=True)`: every frame is checked.",
        CALLS_IN_FLIGHT,
    ),
    Row(
        "compressed-in-flight",
        f"{CALLS_IN_FLIGHT:,} calls in flight, zlib",
        Quantity.RATE,
        _at_least(0.25),
        "calls/s",
        "The same with the calls and their answers compressed by zlib, level 1.",
        CALLS_IN_FLIGHT,
    ),
    Row(
        "in-flight-plain-thread",
        f"{CALLS_IN_FLIGHT:,} calls in flight, plain thread",
        Quantity.RATE,
        _at_least(0.35),
        "calls/s",
        f"`get([actor.add.remote(1) for _ in range({CALLS_IN_FLIGHT})])` from a thread without a loop.",
        CALLS_IN_FLIGHT,
    ),
    Row(
        "bytes-argument",
        "1 MiB of bytes as argument",
        Quantity.RATE,
        _at_least(1.0),
        "MiB/s",
        "One at a time, own loop; the method answers with the length it received.",
        PAYLOAD_BYTES / (1 << 20),
    ),
    Row(
        "compressed-bytes-argument",
        "1 MiB of zeros as argument, zlib",
        Quantity.RATE,
        _at_least(0.05),
        "MiB/s",
        "The same zeros, with the bulk channel compressed by zlib, level 1: 6 KiB on the wire. The floor sends them as "
        "they are. Here the wire is memory; where it is a network, it decides.",
        PAYLOAD_BYTES / (1 << 20),
    ),
)

_TLS_ROWS = (
    Row(
        "tls-await",
        "await an async method, own loop, TLS",
        Quantity.LATENCY,
        _at_most(2.5),
        "us",
        "As the first row, with TLS between the nodes. The floor has none.",
    ),
    Row(
        "tls-in-flight",
        f"{CALLS_IN_FLIGHT:,} calls in flight, own loop, TLS",
        Quantity.RATE,
        _at_least(0.35),
        "calls/s",
        f"{CALLS_IN_FLIGHT:,} calls are made, then every answer is awaited in order, with TLS. The floor has none.",
        CALLS_IN_FLIGHT,
    ),
    Row(
        "tls-bytes-argument",
        "1 MiB of bytes as argument, TLS",
        Quantity.RATE,
        _at_least(0.4),
        "MiB/s",
        "One at a time, own loop, with TLS. The floor has none.",
        PAYLOAD_BYTES / (1 << 20),
    ),
)

_OBJECT_ROWS = (
    Row(
        "put-get-small",
        "put 1 MiB, read it in another process",
        Quantity.ABSOLUTE,
        _at_most(300),
        "copies",
        "`put` of 1 MiB that pickles out of band, then a call with the ref, one at a time, from a plain thread; "
        "divided by the time of a copy of as much between two warm buffers, in turns.",
    ),
    Row(
        "put-get",
        "put 100 MiB, read it in another process",
        Quantity.ABSOLUTE,
        _at_most(80),
        "copies",
        "The same with 100 MiB. An object is kept for some seconds after its call, so each takes new memory, which "
        "costs several times a copy into old memory.",
    ),
    Row(
        "block-argument",
        "100 MiB as argument, fresh each time",
        Quantity.ABSOLUTE,
        _at_most(15),
        "copies",
        "A call with 100 MiB that pickle out of band, one at a time, in the same unit.",
    ),
    Row(
        "block-put-before",
        "call with 100 MiB that were put before",
        Quantity.ABSOLUTE,
        _at_least(1_000),
        "calls/s",
        "One call at a time with a ref to 100 MiB, which its process has mapped since the first call.",
    ),
)

_ABSOLUTE_ROWS = (
    Row(
        "create-actors",
        f"create and call {ACTORS_CREATED:,} actors",
        Quantity.ABSOLUTE,
        _at_least(3_000),
        "actors/s",
        f"{ACTORS_CREATED:,} actors are created and called once without waiting in between, then every answer awaited.",
    ),
    Row(
        "create-isolated",
        f"create and call {ISOLATED} isolated actors",
        Quantity.ABSOLUTE,
        _at_most(2.0),
        "s",
        f"{ISOLATED} actors with processes of their own are created and called once without waiting in between, then "
        "every answer awaited; two workers, whose templates run already.",
    ),
    Row(
        "isolated-memory",
        "memory of an isolated actor",
        Quantity.ABSOLUTE,
        _at_most(20, aim=10),
        "MiB",
        f"What the process of an isolated actor shares with no other (USS), for {ISOLATED} that were called once.",
    ),
    Row(
        "idle-actor",
        "memory of an idle actor",
        Quantity.ABSOLUTE,
        _at_most(4),
        "KiB",
        f"Growth of the worker's resident memory over creating {ACTORS_IDLE:,} actors and calling each once, "
        "divided by their number; both readings follow a garbage collection in the worker.",
    ),
    Row(
        "worker-memory",
        "resident memory of a worker node",
        Quantity.ABSOLUTE,
        _at_most(45),
        "MiB",
        "A fresh worker node with one actor that has answered once.",
    ),
    Row(
        "worker-imports",
        "unwanted modules in a worker node",
        Quantity.ABSOLUTE,
        _at_most(0),
        "modules",
        f"How many of {', '.join(UNWANTED_MODULES)} are among the modules a fresh worker node has imported.",
    ),
    Row(
        "cold-start",
        "cold interpreter to first answer",
        Quantity.ABSOLUTE,
        _at_most(0.8),
        "s",
        "A fresh interpreter runs a short program that calls `init()`, creates an actor and prints its answer; timed "
        "from starting the process to reading the answer. Python's bytecode caches and the disk's are warm.",
    ),
)

ROWS: tuple[Row, ...] = (*_LATENCY_ROWS, *_RATE_ROWS, *_TLS_ROWS, *_OBJECT_ROWS, *_ABSOLUTE_ROWS)


def row_named(key: str) -> Row:
    """The row with this key. Raises KeyError, naming the keys there are, when there is none."""
    for row in ROWS:
        if row.key == key:
            return row
    raise KeyError(f"no row {key!r}; the rows are {', '.join(row.key for row in ROWS)}")
