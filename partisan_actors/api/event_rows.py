"""Events that several nodes tell, put together: in the order of time, and what many have seen counted once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from partisan_actors.telemetry.event_kinds import KINDS

__all__ = ["SAME_S", "Merging", "merge_events"]

# Rows of a shared kind about the same are the same event when they are at most so far apart.
SAME_S: Final = 30.0
# How many shared events are remembered for that while somebody follows.
KEPT_MAX: Final = 10_000


class Merging:
    """Rows that come bit by bit, as to whoever follows: which of them are news.

    A row that is gets `seen_by`, the names of the nodes that tell it, as far as they are known at that time.
    """

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[Any, ...], dict[str, Any]] = OrderedDict()

    def add(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Those that are news, in the order of time."""
        news: list[dict[str, Any]] = []
        for row in sorted(rows, key=lambda row: (row["time"], row["node"], row["seq"])):
            key = _key_of(row)
            known = self._told.get(key) if key is not None else None
            is_same = known is not None and abs(row["time"] - known["time"]) <= SAME_S
            if known is not None and is_same and row["node"] not in known["seen_by"]:
                known["seen_by"].append(row["node"])
                continue
            made = {**row, "seen_by": [row["node"]]}
            news.append(made)
            if key is not None:
                self._told[key] = made
                self._told.move_to_end(key)
                if len(self._told) > KEPT_MAX:
                    self._told.popitem(last=False)
        return news


def merge_events(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All of them in the order of time, each shared event once: when the first node has seen it."""
    return Merging().add(rows)


def _key_of(row: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """What tells shared events apart; None for a row that one node alone tells."""
    kind = KINDS.get(row["kind"])  # None for one of a node of another version
    if kind is None or not kind.shared:
        return None
    return row["kind"], row["about"], row["fields"].get("id")
