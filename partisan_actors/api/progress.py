"""`progress`: refs one by one as they are ready, and how far they are, on a bar or in lines."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Final, Generic, TypeVar

from partisan_actors.api.results import as_completed, get
from partisan_actors.objects.ref import ObjectRef

__all__ = ["Progress", "progress"]

T = TypeVar("T")

# Where there is no terminal, a line at most every so many seconds, and one at the end.
LINES_EVERY_S: Final = 5.0

# What is told of each ref that is ready: whether it failed.
Told = Callable[[bool], None]


class Progress(Generic[T]):
    """What `progress` gives: iterate over it, with ``for`` or ``async for``, or wait for all with `get`."""

    def __init__(
        self, refs: Sequence[ObjectRef[T]], description: str, timeout: float | None, file: IO[str] | None
    ) -> None:
        self._refs = list(refs)
        self._description = description
        self._timeout = timeout
        self._file = sys.stderr if file is None else file

    def __len__(self) -> int:
        return len(self._refs)

    def __iter__(self) -> Iterator[ObjectRef[T]]:
        with self._shown() as told:
            for ref in as_completed(self._refs, timeout=self._timeout):
                told(ref.has_failed)
                yield ref

    async def __aiter__(self) -> AsyncIterator[ObjectRef[T]]:
        with self._shown() as told:
            async for ref in as_completed(self._refs, timeout=self._timeout):
                told(ref.has_failed)
                yield ref

    def get(self) -> list[T]:
        """The values of all refs, in the order given. Raises as `partisan_actors.get`: the first error at once."""
        for ref in self:
            if ref.has_failed:
                ref.result()
        return get(self._refs)

    def _shown(self) -> AbstractContextManager[Told]:
        shown = _on_bar if self._file.isatty() else _in_lines
        return shown(self._description, len(self._refs), self._file)


def progress(
    refs: Sequence[ObjectRef[T]],
    *,
    description: str = "",
    timeout: float | None = None,
    file: IO[str] | None = None,
) -> Progress[T]:
    """The refs as they are ready, and a bar that shows how many are: ``for ref in progress(refs)``, or ``.get()``.

    On a terminal (stderr, unless a `file` is given) it is a bar; elsewhere a line every five seconds and one at the
    end. It says how many have failed. Nothing is shown before the iteration begins. Raises as `as_completed` does.
    """
    return Progress(refs, description, timeout, file)


@contextmanager
def _on_bar(description: str, count: int, file: IO[str]) -> Iterator[Told]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]}"))
    with Bar(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(file=file)) as bar:
        row = bar.add_task(description, total=count, failed="")
        failures = 0

        def told(failed: bool) -> None:
            nonlocal failures
            failures += failed
            bar.update(row, advance=1, failed=_failed(failures))

        yield told


@contextmanager
def _in_lines(description: str, count: int, file: IO[str]) -> Iterator[Told]:
    begun = last = time.monotonic()
    done = failures = 0
    label = f"{description}: " if description else ""

    def line() -> None:
        more = f", {_failed(failures)}" if failures else ""
        file.write(f"{label}{done} of {count}{more}, {time.monotonic() - begun:.0f} s\n")
        file.flush()

    def told(failed: bool) -> None:
        nonlocal last, done, failures
        done, failures = done + 1, failures + failed
        if time.monotonic() - last >= LINES_EVERY_S:
            last = time.monotonic()
            line()

    try:
        yield told
    finally:
        line()


def _failed(failures: int) -> str:
    return f"{failures} failed" if failures else ""
