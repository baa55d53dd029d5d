"""Labels of nodes, and the selectors that ask for them: ``"v"``, ``"!v"``, ``"in(a, b)"`` and ``"!in(a, b)"``.

The same as values: `In`, `NotIn`, and for a label of any value `Exists` and `DoesNotExist`. A negative selector also
accepts a node that lacks the label altogether, as in Kubernetes and Ray.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeVar

from partisan_actors.errors import ConfigError
from partisan_actors.values import dataclass

__all__ = ["DoesNotExist", "Exists", "In", "LabelSelector", "NotIn", "parse_labels", "parse_selectors"]

T = TypeVar("T")

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_KEY: Final = re.compile(rf"(?:{_NAME}/)?{_NAME}")
_VALUE: Final = re.compile(_NAME)
_LIST: Final = re.compile(r"in\((?P<values>[^()]*)\)")

_NAME_ALLOWED: Final = "1 to 63 letters, digits, '-', '_' or '.', the first and the last a letter or a digit"
_SELECTOR_ALLOWED: Final = (
    '"value", "!value", "in(a, b)", "!in(a, b)", In(...), NotIn(...), Exists() or DoesNotExist(); each value '
    + _NAME_ALLOWED
)


class In:
    """A selector: the label has one of these values. Raises ConfigError for what is no value of a label."""

    __slots__ = ("values",)

    def __init__(self, *values: str) -> None:
        if not values or not all(isinstance(value, str) and _VALUE.fullmatch(value) for value in values):
            raise ConfigError(type(self).__name__, values, f"at least one value; each {_NAME_ALLOWED}")
        self.values = values

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.values))})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, In) and other.values == self.values

    def __hash__(self) -> int:
        return hash((type(self), self.values))


class NotIn(In):
    """A selector: the label has none of these values, or the node lacks it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Exists:
    """A selector: the node has the label, whatever its value."""


@dataclass(frozen=True, slots=True)
class DoesNotExist:
    """A selector: the node lacks the label."""


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """A condition on one label: its value is one of `values` (None: any), or, when `negated`, that does not hold."""

    key: str
    values: tuple[str, ...] | None
    negated: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a node with these labels will do."""
        if self.values is None:
            return (self.key in labels) is not self.negated
        return (labels.get(self.key) in self.values) is not self.negated

    def mismatch(self, labels: Mapping[str, str]) -> str:
        """What a node has instead, for people."""
        return f"{self.key} is {labels[self.key]!r}" if self.key in labels else f"no label {self.key}"

    def __str__(self) -> str:
        if self.values is None:
            return f"{self.key} {'does not exist' if self.negated else 'exists'}"
        return f"{self.key} {'not ' if self.negated else ''}in ({', '.join(self.values)})"


def parse_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """The labels a node is given, checked. Raises ConfigError, naming the label, when a key or a value is not valid."""
    checked = _mapping(labels)
    for key, value in checked.items():
        _check_key(key)
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ConfigError(f"labels[{key!r}]", value, _NAME_ALLOWED)
    return checked


def parse_selectors(labels: Mapping[str, object] | None) -> tuple[LabelSelector, ...]:
    """The labels an actor or a task asks for, in the order of keys. Raises ConfigError, naming the label."""
    return tuple(_parse_selector(key, value) for key, value in sorted(_mapping(labels).items()))


def _parse_selector(key: str, text: object) -> LabelSelector:
    _check_key(key)
    match text:
        case In():
            return LabelSelector(key, text.values, isinstance(text, NotIn))
        case Exists() | DoesNotExist():
            return LabelSelector(key, None, isinstance(text, DoesNotExist))
    if not isinstance(text, str):
        raise ConfigError(f"labels[{key!r}]", text, _SELECTOR_ALLOWED)
    negated = text.strip().startswith("!")
    condition = text.strip().removeprefix("!").strip()
    listed = _LIST.fullmatch(condition)
    values = tuple(value.strip() for value in listed["values"].split(",")) if listed else (condition,)
    if not all(_VALUE.fullmatch(value) for value in values):
        raise ConfigError(f"labels[{key!r}]", text, _SELECTOR_ALLOWED)
    return LabelSelector(key, values, negated)


def _mapping(labels: Mapping[str, T] | None) -> dict[str, T]:
    if labels is None:
        return {}
    if not isinstance(labels, Mapping) or not all(isinstance(key, str) for key in labels):
        raise ConfigError("labels", labels, 'a mapping of texts to texts, as {"zone": "a"}')
    return dict(labels)


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise ConfigError("labels", key, f"as a key {_NAME_ALLOWED}; a prefix of the same form may stand before a '/'")
