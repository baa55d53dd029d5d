"""What went wrong on a node that went on all the same: counted by kind, and logged once of each."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, Final

__all__ = ["Troubles", "place_of"]

logger = logging.getLogger(__name__)

# Kinds that are told apart; the rest is counted as one.
KINDS_MAX: Final = 64
OTHERS: Final = "others"


def place_of(error: BaseException) -> str:
    """What was raised, and where: a kind of trouble, of which a program has only so many."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{where}"


class Troubles:
    """The troubles of one node, for its log and for whoever asks how it is."""

    def __init__(self, on_first: Callable[..., object] = lambda **trouble: None) -> None:
        """`on_first` is told of the first of each kind, with its name as `trouble` and its `text`."""
        self._on_first = on_first
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def tell(self, kind: str, text: str, error: BaseException | None = None, *, level: int = logging.ERROR) -> None:
        """`kind` is the same text each time; `text` has the particulars, and is logged once with the traceback."""
        if kind not in self._counts and len(self._counts) >= KINDS_MAX:
            kind = OTHERS
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if kind not in self._first:
            self._first[kind] = text
            self._on_first(trouble=kind, text=text)
            logger.log(level, "%s (logged once; counted in `partisan status --json`)", text, exc_info=error)

    def facts(self) -> list[dict[str, Any]]:
        """Each kind with how often it happened and its first text, as plain data."""
        return [{"kind": kind, "count": count, "first": self._first[kind]} for kind, count in self._counts.items()]
