"""`inspect_serializability`: which parts of a value are the reason that it cannot be sent."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TextIO

from partisan_actors.wire.payload import can_be_sent

__all__ = ["Unserializable", "inspect_serializability"]

DEPTH_MAX: Final = 20


@dataclass(frozen=True, eq=False, slots=True)
class Unserializable:
    """A part that cannot be sent: the object, its path (`name`), and what holds it (`parent`)."""

    obj: Any
    name: str
    parent: Any

    def __str__(self) -> str:
        return f"{self.name} ({type(self.obj).__qualname__})"


def inspect_serializability(
    base_obj: Any, name: str | None = None, depth: int = 3, print_file: TextIO | None = None
) -> tuple[bool, set[Unserializable]]:
    """Whether a value can be sent, and if not, the innermost parts of it that cannot, down to `depth` levels.

    Looks into containers, attributes, the variables that a function has from outside, and the methods of a class.
    Writes what it finds to `print_file` (standard output). Costs as much as pickling the value for each part.
    """
    if not 0 < depth <= DEPTH_MAX:
        raise ValueError(f"depth is {depth}; it must be from 1 to {DEPTH_MAX}")
    out = print_file if print_file is not None else sys.stdout
    path = name or str(getattr(base_obj, "__name__", "value"))
    found = [] if can_be_sent(base_obj) else list(_culprits(base_obj, path, None, depth, set()))
    if found:
        out.write(f"{path} cannot be sent, because of\n" + "".join(f"  {part}\n" for part in found))
    else:
        out.write(f"{path} can be sent\n")
    return not found, set(found)


def _culprits(value: Any, path: str, parent: Any, depth: int, seen: set[int]) -> Iterator[Unserializable]:
    """The innermost parts of what cannot be sent, itself if it has no such part."""
    seen.add(id(value))
    inner: list[Unserializable] = []
    if depth > 0:
        for step, part in _parts(value):
            if id(part) not in seen and not can_be_sent(part):
                inner += _culprits(part, path + step, value, depth - 1, seen)
    yield from inner or [Unserializable(value, path, parent)]


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"[{key!r}]", item
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif inspect.isfunction(value):
        outside = inspect.getclosurevars(value)
        for name, held in {**outside.globals, **outside.nonlocals}.items():
            yield f":{name}", held
    elif isinstance(value, type):
        for name, held in vars(value).items():
            if not name.startswith("__") or inspect.isfunction(held):
                yield f".{name}", held
    else:
        for name, held in getattr(value, "__dict__", {}).items():
            yield f".{name}", held
