"""A sampling profile of this process: where its threads are, many times a second, and the processor time they take.

Nothing that runs is stopped: a thread of our own looks at the others' frames, as often as the interpreter gives it a
turn, and adds up what it sees. Meanwhile threads give the interpreter away after SWITCH_S, if another one wants it, and
not after Python's 5 ms: whatever runs for less than that at a time would be over whenever our turn comes, and never be
seen. What runs for less than SWITCH_S still seldom is; its processor time is counted where its thread waits then.

Rules kept here:

1. A thread is told by its name; its stack is cut at FRAMES_MAX calls, the outermost of which are kept.
2. There are at most ROWS_MAX different places, by their callers. What comes beyond is counted where it was called from,
   and `cut` says how often that was.
3. Processor time is the system's own account of each thread (Linux: ``/proc/self/task``), which adds what went by since
   the last look to where the thread is found now. Elsewhere there is none.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Collection
from types import CodeType, FrameType
from typing import Any, Final

from partisan_actors.api.frames import Place, is_users, nothing_collected

__all__ = ["ROWS_MAX", "Sampler"]

ROWS_MAX: Final = 3000
FRAMES_MAX: Final = 100
NS: Final = 1e-9
SWITCH_S: Final = 0.0002


class Sampler:
    """Samples until `run` ends. With `codes`, only of stacks that enter one of these, and from there on.

    `interval_s` lies between two looks, at least.
    """

    def __init__(self, interval_s: float, codes: Collection[CodeType] = ()) -> None:
        self._interval_s = interval_s
        self._codes = frozenset(codes)
        self._numbers: dict[tuple[int, object], int] = {}
        self._clocks = _Clocks()
        self._is_over = threading.Event()
        # Of each place: who calls it, what it is, and what was seen there and in what it calls.
        self._rows: list[dict[str, Any]] = []
        self.samples = 0
        self.cut = 0
        self.took_s = 0.0
        self._row(-1, "all", {"function": "all threads", "file": "", "line": 0, "is_users": False})

    def stop(self) -> None:
        """From any thread: `run` ends soon."""
        self._is_over.set()

    def run(self, seconds: float) -> None:
        """On a thread of its own: look at the others for so long."""
        with _short_turns:
            self._run(seconds)

    def _run(self, seconds: float) -> None:
        me = threading.get_ident()
        began = now = time.monotonic()
        self._clocks.passed(threading.enumerate())
        try:
            while now < began + seconds and not self._is_over.wait(self._interval_s):
                threads = {thread.ident: thread for thread in threading.enumerate()}
                cpu = self._clocks.passed(threads.values())
                for ident, codes in _stacks(me).items():
                    thread = threads.get(ident)
                    self._add(thread.name if thread is not None else f"thread {ident}", codes, cpu.get(ident, 0))
                self.samples += 1
                now = time.monotonic()
        finally:
            self.took_s = now - began
            self._clocks.close()

    def plain(self) -> dict[str, Any]:
        """What was seen. A row of `frames` stands behind the one that calls it, whose place in the list is `parent`."""
        return {
            "seconds": self.took_s,
            "samples": self.samples,
            "has_cpu": self._clocks.exist,
            "cut": self.cut,
            "frames": [{**row, "cpu_s": row["cpu_s"] * NS} for row in self._rows],
        }

    def _add(self, name: str, codes: list[CodeType], cpu_ns: int) -> None:
        if self._codes:
            first = next((place for place, each in enumerate(codes) if each in self._codes), None)
            if first is None:
                return
            codes = codes[first:]
        self._count(0, cpu_ns)
        at = 0
        if not self._codes:
            at = self._child(0, name, {"function": name, "file": "", "line": 0, "is_users": False}, cpu_ns)
        for each in codes[:FRAMES_MAX]:
            if at < 0:
                return
            at = self._child(at, each, None, cpu_ns)

    def _child(self, parent: int, what: object, row: dict[str, Any] | None, cpu_ns: int) -> int:
        """Count something that `parent` calls; its number, or -1 when there are too many."""
        number = self._numbers.get((parent, what))
        if number is None:
            if len(self._rows) >= ROWS_MAX:
                self.cut += 1
                return -1
            if row is None:
                assert isinstance(what, CodeType)
                row = _described(what)
            number = self._row(parent, what, row)
        self._count(number, cpu_ns)
        return number

    def _row(self, parent: int, what: object, row: dict[str, Any]) -> int:
        number = self._numbers[parent, what] = len(self._rows)
        self._rows.append({"parent": parent, **row, "samples": 0, "cpu_s": 0})
        return number

    def _count(self, number: int, cpu_ns: int) -> None:
        row = self._rows[number]
        row["samples"] += 1
        row["cpu_s"] += cpu_ns


class _ShortTurns:
    """While anybody is within it, threads of this process give the interpreter away after SWITCH_S."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before_s = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before_s = sys.getswitchinterval()
                sys.setswitchinterval(min(SWITCH_S, self._before_s))
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                sys.setswitchinterval(self._before_s)


_short_turns: Final = _ShortTurns()  # of the process, as the interval is


class _Clocks:
    """The processor time of each thread, where the system tells."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}  # by the thread's number for the system
        self._before: dict[int, int] = {}
        self.exist = os.path.exists("/proc/self/task")

    def passed(self, threads: Collection[threading.Thread]) -> dict[int, int]:
        """Nanoseconds that each has computed since the last look, by its number for Python."""
        if not self.exist:
            return {}
        found = {}
        for thread in threads:
            if thread.native_id is None or thread.ident is None:
                continue
            with contextlib.suppress(OSError, ValueError, IndexError):  # it has just ended
                now = self._read(thread.native_id)
                found[thread.ident] = now - self._before.get(thread.native_id, now)
                self._before[thread.native_id] = now
        self._forget(self._files.keys() - {thread.native_id for thread in threads})
        return found

    def _read(self, native_id: int) -> int:
        file = self._files.get(native_id)
        if file is None:
            file = self._files[native_id] = os.open(f"/proc/self/task/{native_id}/schedstat", os.O_RDONLY)
        return int(os.pread(file, 64, 0).split()[0])

    def _forget(self, ended: Collection[int]) -> None:
        """Threads that are no more: their files would stay open, and not serve another one that has the number."""
        for native_id in ended:
            os.close(self._files.pop(native_id))
            self._before.pop(native_id, None)

    def close(self) -> None:
        self._forget(list(self._files))


def _stacks(but: int) -> dict[int, list[CodeType]]:
    """What each thread but that one runs, the outermost call first."""
    found: dict[int, list[CodeType]] = {}
    with nothing_collected():
        for ident, innermost in sys._current_frames().items():
            frame: FrameType | None = innermost
            found[ident] = codes = []
            while frame is not None and ident != but:
                codes.append(frame.f_code)
                frame = frame.f_back
            codes.reverse()
        del innermost, frame
    return {ident: codes for ident, codes in found.items() if codes}


def _described(code: CodeType) -> dict[str, Any]:
    place = Place(code.co_filename, code.co_firstlineno, code.co_qualname)
    return {"function": place.function, "file": place.file, "line": place.line, "is_users": is_users(place)}
