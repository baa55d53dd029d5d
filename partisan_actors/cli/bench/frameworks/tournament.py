"""Entrants take turns: each is alone on the machine while it performs, and each performs once in every round."""

from __future__ import annotations

import json
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from partisan_actors.cli.bench.environment import child_environment
from partisan_actors.cli.bench.frameworks.entrants import ENTRANTS
from partisan_actors.cli.bench.frameworks.work import COLD_START, MEMORY

__all__ = ["Score", "hold"]

START_S: Final = 60.0
PIECE_S: Final = 60.0
STOP_S: Final = 15.0
REST_S: Final = 1.0
"""Between the first answer and the look at memory, for processes that start in the background."""
MIB: Final = 1 << 20


@dataclass(slots=True)
class Score:
    """What one entrant did: a figure for each round and piece, its version, and what went wrong."""

    name: str
    version: str = ""
    absence: str | None = None
    figures: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def median(self, piece: str) -> float | None:
        """Over the rounds, or None."""
        found = self.figures.get(piece)
        return statistics.median(found) if found else None

    def to_json(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return {
            "name": self.name,
            "version": self.version,
            "absent": self.absence,
            "figures": self.figures,
            "errors": self.errors,
        }


class _Stage:
    """A running entrant, asked line by line."""

    def __init__(self, name: str) -> None:
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "partisan_actors.cli.bench.frameworks.stage", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**child_environment(), "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"},
        )
        self._unread = b""
        self._read(START_S)
        self.started_s = time.perf_counter() - begin

    def ask(self, request: dict[str, Any], within_s: float) -> dict[str, Any]:
        """Raises TimeoutError, EOFError when it has ended, OSError."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return self._read(within_s)

    def memory_mib(self) -> float:
        """Of it and all its descendants; what several share is divided among them."""
        total = 0
        for process in _tree(self.process.pid):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total / MIB

    def _read(self, within_s: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        end = time.monotonic() + within_s
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError(f"no answer within {within_s:g} s")
            read = self.process.stdout.read1()  # type: ignore[attr-defined]  # a pipe's reader has it
            if not read:
                raise EOFError("its process has ended")
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


def hold(
    names: Sequence[str], pieces: Sequence[str], rounds: int, seconds: float, announce: Callable[[str], None]
) -> list[Score]:
    """Have them perform. Who is not installed, or fails, is in the list, with the reason.

    Each is started once before, which is not recorded: what is installed has been compiled, and the disk has been read.
    """
    scores = [Score(name, absence=ENTRANTS[name].absence) for name in names]
    for score in scores if COLD_START in pieces or MEMORY in pieces else ():
        if score.absence is None:
            announce(f"a start beforehand: {score.name}")
            _perform(Score(score.name), (), 0.0)
    for number in range(rounds):
        # Who began last time ends this time.
        for score in scores if number % 2 == 0 else scores[::-1]:
            if score.absence is None:
                announce(f"round {number + 1} of {rounds}: {score.name}")
                _perform(score, pieces, seconds)
    return scores


def _perform(score: Score, pieces: Sequence[str], seconds: float) -> None:
    try:
        with _staged(score.name) as stage:
            _note(score, pieces, COLD_START, stage.started_s)
            time.sleep(REST_S)
            _note(score, pieces, MEMORY, stage.memory_mib())
            described = stage.ask({"do": "describe"}, PIECE_S)
            score.version = described["version"]
            stage.ask({"do": "settle"}, PIECE_S)
            for name in described["offers"]:
                if name in pieces:
                    answer = stage.ask({"do": name, "seconds": seconds}, PIECE_S + seconds)
                    if "figure" in answer:
                        _note(score, pieces, name, answer["figure"])
                    else:
                        score.errors[name] = answer["error"]
    except (TimeoutError, EOFError, OSError) as error:
        score.errors["all"] = f"{error}; the rows after that are missing in this round"


def _note(score: Score, pieces: Sequence[str], name: str, figure: float) -> None:
    if name in pieces:
        score.figures.setdefault(name, []).append(figure)


@contextmanager
def _staged(name: str) -> Iterator[_Stage]:
    before = {process.pid for process in _tree(None)}
    stage: _Stage | None = None
    try:
        stage = _Stage(name)
        yield stage
    finally:
        processes = [process for process in _tree(None) if process.pid not in before]
        if stage is not None:
            assert stage.process.stdin is not None
            with suppress(OSError):
                stage.process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                stage.process.wait(STOP_S)
        for process in processes:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(processes, timeout=STOP_S)
        if stage is not None:
            stage.process.wait(STOP_S)


def _tree(pid: int | None) -> list[psutil.Process]:
    """The process and its descendants; without a pid, our descendants."""
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        return [*([root] if pid is not None else []), *root.children(recursive=True)]
    return []
