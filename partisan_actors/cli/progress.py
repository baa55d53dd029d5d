"""How far a command is with work that takes long: a bar at a terminal, a line now and then elsewhere, else nothing.

All of it goes to standard error, so what a command prints is the same whether or not somebody looks on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

__all__ = ["LINES_EVERY_S", "Steps", "steps"]

LINES_EVERY_S: Final = 5.0


class Steps:
    """So many steps are done, of `total` if that is known; `show(done, text)` shows it."""

    def __init__(self, total: int | None, show: Callable[[int, str], None]) -> None:
        self.total = total
        self.done = 0
        self._show = show

    def advance(self, text: str = "") -> None:
        """Another one is done; `text` says what is next, or what has come of it so far."""
        self.reach(self.done + 1, text)

    def reach(self, done: int, text: str = "") -> None:
        """So many are."""
        self.done = done
        self._show(done, text)


@contextmanager
def steps(
    title: str,
    total: int | None = None,
    *,
    quiet: bool = False,
    every_s: float = LINES_EVERY_S,
    file: IO[str] | None = None,
) -> Iterator[Steps]:
    """Show how far it is until the end of the block. `quiet`, as for --json, shows nothing.

    Lines are `every_s` seconds apart at least, so there are none of work that takes less; with 0, one for each step.
    """
    file = sys.stderr if file is None else file
    if quiet:
        yield Steps(total, lambda done, text: None)
    elif file.isatty():
        with _bar(title, total, file) as show:
            yield Steps(total, show)
    else:
        yield Steps(total, _Lines(title, total, every_s, file))


@contextmanager
def _bar(title: str, total: int | None, file: IO[str]) -> Iterator[Callable[[int, str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    counted: tuple[Any, ...] = (BarColumn(bar_width=24), MofNCompleteColumn()) if total is not None else ()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), *counted, TextColumn("{task.fields[text]}"))
    # Gone when it is over: then the command tells what has come of it.
    with Progress(*columns, TimeElapsedColumn(), console=Console(file=file), transient=True) as progress:
        task = progress.add_task(title, total=total, text="")
        yield lambda done, text: progress.update(task, completed=done, text=text, refresh=True)


class _Lines:
    """A line for a step, unless the last one was a moment ago."""

    def __init__(self, title: str, total: int | None, every_s: float, file: IO[str]) -> None:
        self._every_s = every_s
        self._title = title
        self._total = total
        self._file = file
        self._begun = self._said = time.monotonic()

    def __call__(self, done: int, text: str) -> None:
        now = time.monotonic()
        if now - self._said < self._every_s:
            return
        self._said = now
        count = f"{done}" if self._total is None else f"{done} of {self._total}"
        more = f", {text}" if text else ""
        self._file.write(f"{self._title}: {count}{more}, {now - self._begun:.0f} s\n")
        self._file.flush()
