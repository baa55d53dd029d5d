"""The vocabulary of the control plane: `@message("tag")` and the registry of tags that the codec walks.

A protocol declares its messages as frozen dataclasses beside itself; nothing else has to be edited.
The registry is filled while modules are imported and is constant afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from partisan_actors.values import dataclass

__all__ = ["Carried", "Sealed", "message", "message_types", "tag_of"]

T = TypeVar("T")

_by_tag: dict[str, type] = {}
_by_type: dict[type, str] = {}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value as it came: whoever only passes it on, or has it already, need not know what is in it."""

    packed: bytes
    unpack: Callable[[bytes], Any] = field(compare=False, repr=False)

    def __len__(self) -> int:
        """In bytes."""
        return len(self.packed)

    def open(self) -> Any:
        """What is in it. Raises ProtocolError for what nobody can read."""
        return self.unpack(self.packed)


# The type of a message's field that is only opened where it is used: plain where it comes from, and Sealed elsewhere.
Carried: TypeAlias = object | Sealed


def message(tag: str) -> Callable[[type[T]], type[T]]:
    """Class decorator: registers a frozen dataclass as the control message named `tag`.

    Field types may be bool, int, float, str, bytes, None, NodeId, a registered message, and tuples, lists,
    dicts and unions of those; the codec checks every field on decoding. Or Carried, which is checked when it is
    opened. Raises TypeError when `tag` is taken or the class is not a frozen dataclass.
    """

    def register(cls: type[T]) -> type[T]:
        parameters = getattr(cls, "__dataclass_params__", None)
        if parameters is None or not parameters.frozen:
            raise TypeError(f"message {tag!r}: {cls.__name__} must be a frozen dataclass")
        if tag in _by_tag:
            raise TypeError(f"message tag {tag!r} is taken by {_by_tag[tag].__name__}")
        _by_tag[tag] = cls
        _by_type[cls] = tag
        return cls

    return register


def message_types() -> Mapping[str, type]:
    """Every registered message class by its tag; a read-only live view."""
    return MappingProxyType(_by_tag)


def tag_of(value: object) -> str | None:
    """The tag of a message instance, or None when its class is not registered."""
    return _by_type.get(type(value))
