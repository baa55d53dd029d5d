"""How the class under `@actor` is sent: by name, where others can import it.

Its name in its module means the ActorClass, so that pickle would not find the class there and would copy it, but not
its methods, whose ``super()`` then means another class than the one they are in.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import reduce
from typing import Any

import partisan_actors.wire.payload as payload

__all__ = ["ByName", "plain_class"]


class ByName:
    """Pickles as a reference to a decorated class, and arrives as the plain one."""

    def __init__(self, cls: type) -> None:
        self._name = (cls.__module__, cls.__qualname__)

    @classmethod
    def of(cls, plain: type) -> ByName | None:
        """How to refer to that class; None for one that cannot be imported, or is wanted by value."""
        module = sys.modules.get(plain.__module__)
        if plain.__module__ == "__main__" or module is None or payload.is_by_value(module):
            return None
        try:
            found = reduce(getattr, plain.__qualname__.split("."), module)
        except AttributeError:  # inside a function, or replaced since
            return None
        return cls(plain) if getattr(found, "cls", None) is plain else None

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return plain_class, self._name


def plain_class(module: str, qualname: str) -> Any:
    """The plain class of the ActorClass of that name. Raises ImportError and AttributeError."""
    found: Any = reduce(getattr, qualname.split("."), importlib.import_module(module))
    return found.cls
