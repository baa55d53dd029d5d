"""Words for people: a list of names that may be long."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["some"]


def some(names: Sequence[object], most: int = 5) -> str:
    """The first of them, and how many more there are: "a, b and 3 more"."""
    shown = ", ".join(map(str, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
