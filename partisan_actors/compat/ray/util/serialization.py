"""`ray.util.register_serializer`: how values of a class travel from this process."""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Any

from partisan_actors.compat.ray.absent import refuser_of

__all__ = ["deregister_serializer", "register_serializer"]


__getattr__ = refuser_of("util.serialization")


def register_serializer(cls: type, *, serializer: Callable[[Any], Any], deserializer: Callable[[Any], Any]) -> None:
    """Values of exactly this class leave this process as what `serializer` makes of them.

    Whoever gets one calls `deserializer` with that. It is for all that is pickled in this process; another one that
    sends such values has to be told, too.
    """
    copyreg.pickle(cls, lambda value: (deserializer, (serializer(value),)))


def deregister_serializer(cls: type) -> None:
    """They travel as others do again."""
    copyreg.dispatch_table.pop(cls, None)
