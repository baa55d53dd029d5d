"""The kinds of faults: what each one does, to whom, and from when until when. Times are seconds since the plan began.

*Spans* last from `at_s` until `until_s`; *moments* happen at `at_s`. Network faults are about what `senders` send to
`receivers`, or about what passes between two sides. `kinds`, where given, are the tags of the messages that suffer.
Messages from one node to another stay in order under every fault, as they do on a connection: a late one holds up those
behind it. Only messages of different connections overtake each other.

Constructing an operation raises ConfigError when a value is not valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias

from partisan_actors.errors import ConfigError
from partisan_actors.faults.selectors import ALL, REST, SELECTOR, Selector, is_selector

__all__ = [
    "LATEST_S",
    "NODES_MAX",
    "OPERATIONS",
    "Crash",
    "Cut",
    "Delay",
    "Duplicate",
    "Hold",
    "Join",
    "Leave",
    "Loss",
    "NetworkSpan",
    "NodeSpan",
    "Operation",
    "Reorder",
    "Reset",
    "Restart",
    "Slow",
    "Span",
    "Stall",
]

LATEST_S: Final = 86_400.0
WAIT_MAX_S: Final = 3_600.0
NODES_MAX: Final = 100_000


class _Checked:
    """Checks its fields by their names."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]  # whoever inherits this is a dataclass
            is_right, allowed = _CHECKS[each.name]
            value = getattr(self, each.name)
            if not is_right(value):
                raise ConfigError(each.name, value, allowed)
        until_s = getattr(self, "until_s", None)
        if until_s is not None and until_s <= getattr(self, "at_s"):  # noqa: B009  # not every heir has it
            raise ConfigError("until_s", until_s, "more than at_s")


@dataclass(frozen=True, slots=True)
class Loss(_Checked):
    """A message is lost with probability `rate`; nobody is told."""

    at_s: float
    until_s: float
    rate: float
    senders: Selector = ALL
    receivers: Selector = ALL
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delay(_Checked):
    """A message takes `delay_s` longer, and up to `jitter_s` more."""

    at_s: float
    until_s: float
    delay_s: float
    jitter_s: float = 0.0
    senders: Selector = ALL
    receivers: Selector = ALL
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duplicate(_Checked):
    """A message arrives once more with probability `rate`, after the first, as from a sender that connects again.

    On one connection that happens once in `pause_s` at most: else a message that goes from node to node would be
    doubled at every hop.
    """

    at_s: float
    until_s: float
    rate: float
    pause_s: float = 1.0
    senders: Selector = ALL
    receivers: Selector = ALL
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reorder(_Checked):
    """With probability `rate` a message is up to `window_s` late: others, on other connections, overtake it."""

    at_s: float
    until_s: float
    rate: float
    window_s: float
    senders: Selector = ALL
    receivers: Selector = ALL
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut(_Checked):
    """Partition: `side` and `other` cannot reach each other; `one_way`: what `side` sends does not reach `other`.

    Senders are told, as of a peer that is down. Connections between the sides break, and none can be opened: that
    takes both directions. Single messages still get from `other` to `side` through a one-way cut.
    """

    at_s: float
    until_s: float
    side: Selector
    other: Selector = REST
    one_way: bool = False


@dataclass(frozen=True, slots=True)
class Hold(_Checked):
    """What passes between the sides waits, and arrives in order at `until_s`; `one_way`: only what `side` sends."""

    at_s: float
    until_s: float
    side: Selector
    other: Selector = REST
    one_way: bool = False


@dataclass(frozen=True, slots=True)
class Slow(_Checked):
    """Nodes take `input_s` for each message, timer and change of a connection; inputs queue up before them."""

    at_s: float
    until_s: float
    nodes: Selector
    input_s: float


@dataclass(frozen=True, slots=True)
class Stall(_Checked):
    """Nodes stand still, as in a long garbage collection: inputs queue up, and are handled at `until_s`, in order."""

    at_s: float
    until_s: float
    nodes: Selector


@dataclass(frozen=True, slots=True)
class Reset(_Checked):
    """Connections between the sides break, and what was on its way over them is lost.

    Both ends are told; `half_open`: only `other` is, and `side` learns of it from the next message it sends there.
    """

    at_s: float
    side: Selector
    other: Selector = ALL
    half_open: bool = False


@dataclass(frozen=True, slots=True)
class Crash(_Checked):
    """Nodes go down in the same instant, without a word."""

    at_s: float
    nodes: Selector


@dataclass(frozen=True, slots=True)
class Restart(_Checked):
    """Nodes that are down come back with nothing but their name: a new incarnation, which joins like any other."""

    at_s: float
    nodes: Selector = ALL


@dataclass(frozen=True, slots=True)
class Join(_Checked):
    """So many new nodes join, in the same instant."""

    at_s: float
    count: int = 1


@dataclass(frozen=True, slots=True)
class Leave(_Checked):
    """Nodes leave in good order, and go."""

    at_s: float
    nodes: Selector


NetworkSpan: TypeAlias = Loss | Delay | Duplicate | Reorder | Cut | Hold
NodeSpan: TypeAlias = Slow | Stall
Span: TypeAlias = NetworkSpan | NodeSpan
Operation: TypeAlias = Span | Reset | Crash | Restart | Join | Leave

OPERATIONS: Final[Mapping[str, type[Operation]]] = {
    kind.__name__.lower(): kind
    for kind in (Loss, Delay, Duplicate, Reorder, Cut, Hold, Slow, Stall, Reset, Crash, Restart, Join, Leave)
}


def _is_number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _are_kinds(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(kind, str) and kind for kind in value)


_time = (_is_number(0.0, LATEST_S), f"from 0 to {LATEST_S:g} seconds")
_rate = (_is_number(0.0, 1.0), "a number from 0 to 1")
_wait = (_is_number(0.0, WAIT_MAX_S), f"from 0 to {WAIT_MAX_S:g} seconds")
_flag = (lambda value: isinstance(value, bool), "true or false")
_nodes = (is_selector, SELECTOR)

_CHECKS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "at_s": _time,
    "until_s": _time,
    "rate": _rate,
    "delay_s": _wait,
    "jitter_s": _wait,
    "window_s": _wait,
    "pause_s": _wait,
    "input_s": _wait,
    "count": (
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= NODES_MAX,
        f"a whole number from 1 to {NODES_MAX}",
    ),
    "senders": _nodes,
    "receivers": _nodes,
    "side": _nodes,
    "other": _nodes,
    "nodes": _nodes,
    "one_way": _flag,
    "half_open": _flag,
    "kinds": (_are_kinds, "a list of message tags"),
}
