"""`ray.experimental.tqdm_ray`: progress in lines, which come to the driver's terminal from wherever they are written.

Ray redraws bars at the driver. Here each process writes a line now and then; lines of many processes do not spoil each
other, and what is no terminal can show them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from partisan_actors.compat.ray.absent import refuser_of

__all__ = ["safe_print", "tqdm"]

__getattr__ = refuser_of("experimental.tqdm_ray")


def safe_print(*args: Any, **kwargs: Any) -> None:
    """As `print`: lines do no harm to what is shown here."""
    print(*args, **kwargs)  # noqa: T201 - printing is what is asked for


class tqdm:  # noqa: N801 - Ray's name
    """Counts to `total`, and writes how far it is to standard error: at most every `flush_interval_s`, and at the end.

    Iterating over it counts the items of `iterable`. `position` is not looked at.
    """

    DEFAULT_FLUSH_INTERVAL_SECONDS: ClassVar[float] = 1.0

    def __init__(
        self,
        iterable: Iterable[Any] | None = None,
        desc: str | None = None,
        total: int | None = None,
        unit: str | None = None,
        position: int | None = None,
        flush_interval_s: float | None = None,
    ) -> None:
        """Without `total` it is that of the iterable, if that can tell. Raises TypeError for what is none."""
        if iterable is not None:
            iter(iterable)
        self.n = 0
        self.total = total if total is not None or not hasattr(iterable, "__len__") else len(iterable)  # type: ignore[arg-type]  # it has
        self._iterable = iterable
        self._description = desc or ""
        self._unit = unit or "it"
        self._every_s = self.DEFAULT_FLUSH_INTERVAL_SECONDS if flush_interval_s is None else flush_interval_s
        self._begun = self._written_s = time.monotonic()
        self._written: int | None = None
        self._is_closed = False

    def __iter__(self) -> Iterator[Any]:
        if self._iterable is None:
            raise ValueError("there is nothing to iterate over: tqdm was made without an iterable")
        try:
            for item in self._iterable:
                yield item
                self.update()
        finally:
            self.close()

    def update(self, n: int = 1) -> None:
        """So many more."""
        self.n += n
        if time.monotonic() - self._written_s >= self._every_s:
            self.refresh()

    def set_description(self, desc: str) -> None:
        """What is counted."""
        self._description = desc

    def refresh(self) -> None:
        """Write how far it is."""
        self._written, self._written_s = self.n, time.monotonic()
        of = "" if self.total is None else f"/{self.total}"
        label = f"{self._description}: " if self._description else ""
        took_s = self._written_s - self._begun
        sys.stderr.write(f"{label}{self.n}{of} {self._unit}, {took_s:.0f} s\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Write the last count, unless it is written already."""
        if not self._is_closed and self._written != self.n:
            self.refresh()
        self._is_closed = True
