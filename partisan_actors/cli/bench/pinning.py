"""On which core each process runs: a call between two processes costs very different times on one core and on two.

On one core the caller's sleep wakes the answerer directly. On two, a core that has gone idle is halted and must first
be woken, which takes longer than the call itself. Left alone, the kernel changes between the two as it likes, so that
a ratio would compare placements; pinned, each mode is compared with itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Layout", "Mode", "first_core_each", "layouts", "pinned", "separate_layout"]


class Mode(StrEnum):
    """How caller and answerers are placed."""

    SAME_CORE = "same core"
    TWO_CORES = "two cores"
    NOT_PINNED = "not pinned"


@dataclass(frozen=True, slots=True)
class Layout:
    """A mode, and the cores it means on this machine (None: wherever the kernel likes)."""

    mode: Mode
    caller: int | None = None
    answerer: int | None = None


def layouts() -> tuple[Layout, ...]:
    """Every mode this machine can be put into, for rows that are compared mode by mode."""
    cores = _usable_cores()
    if not cores:
        return (Layout(Mode.NOT_PINNED),)
    same = Layout(Mode.SAME_CORE, cores[0], cores[0])
    return (same,) if len(cores) == 1 else (same, Layout(Mode.TWO_CORES, cores[0], cores[1]))


def separate_layout() -> Layout:
    """The layout for rows that keep both processes busy: a core each where there are two."""
    return layouts()[-1]


@contextmanager
def pinned(layout: Layout, answerers: Sequence[int]) -> Iterator[None]:
    """Hold this process and the processes `answerers` to their cores; afterwards they may run where they could before.

    Every thread that exists is moved; a thread that starts meanwhile inherits its starter's core.
    """
    if layout.caller is None or layout.answerer is None:
        yield
        return
    places = {os.getpid(): layout.caller, **dict.fromkeys(answerers, layout.answerer)}
    before = {pid: os.sched_getaffinity(pid) for pid in places}
    try:
        for pid, core in places.items():
            _move(pid, {core})
        yield
    finally:
        for pid, cores in before.items():
            _move(pid, cores)


def first_core_each(siblings: Sequence[tuple[int, Sequence[int]]]) -> list[int]:
    """Of (core, the cores it shares hardware with), keep one core for each piece of hardware, in order."""
    kept: list[int] = []
    taken: set[int] = set()
    for core, shared in siblings:
        if core not in taken:
            kept.append(core)
            taken.update(shared)
    return kept


def _usable_cores() -> list[int]:
    if not hasattr(os, "sched_setaffinity"):
        return []
    return first_core_each([(core, _siblings(core)) for core in sorted(os.sched_getaffinity(0))])


def _siblings(core: int) -> list[int]:
    listing = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        text = listing.read_text().strip()
    except OSError:
        return [core]
    siblings: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        siblings.extend(range(int(first), int(last or first) + 1))
    return siblings


def _move(pid: int, cores: set[int]) -> None:
    # Affinity belongs to a thread, not to a process. A thread, or a whole process, may have ended meanwhile.
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread), cores)
