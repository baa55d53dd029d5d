"""`FaultPlan`: what is to go wrong in one run, as data that can be saved, read by people, sent and shrunk.

As JSON::

    {"version": 1, "spared": ["n0"], "operations": [
        {"do": "cut", "at_s": 5, "until_s": 25, "side": "30%", "one_way": true},
        {"do": "crash", "at_s": 8, "nodes": "2 random"}]}

Whatever is wrong in it is told with its place: ``operations[3].rate = 1.5 is not valid: expected ...``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from itertools import chain, islice
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import OPERATIONS, Operation
from partisan_actors.faults.selectors import Selector

__all__ = ["OPERATIONS_MAX", "VERSION", "FaultPlan"]

VERSION: Final = 1
OPERATIONS_MAX: Final = 10_000
SPARED_MAX: Final = 1_000
SELECTING: Final = ("nodes", "side", "other", "senders", "receivers")
SHOWN_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Operations, in any order. `spared` nodes are crashed, restarted or made to leave by their name only.

    Raises ConfigError when there are more than OPERATIONS_MAX.
    """

    operations: tuple[Operation, ...] = ()
    spared: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.operations) > OPERATIONS_MAX:
            raise ConfigError("operations", f"{len(self.operations)} of them", f"at most {OPERATIONS_MAX}")

    @property
    def end_s(self) -> float:
        """When the last fault is over: from then on the network is sound, and who is down stays down."""
        return max((getattr(each, "until_s", each.at_s) for each in self.operations), default=0.0)

    def check(self, nodes: Collection[str], others: Collection[str] = (), kinds: Collection[str] | None = None) -> None:
        """Raises ConfigError, with its place, for a name or a kind of message that a run does not have.

        `nodes` are those there may be in it, `others` those to which only the network is done something. Such a name or
        kind would do no harm, and that is the harm: the fault that somebody meant does not happen.
        """
        for index, operation in enumerate(self.operations):
            for field in SELECTING:
                known = (nodes,) if field == "nodes" else (nodes, others)
                _check_each(f"operations[{index}].{field}", getattr(operation, field, ()), "nodes", *known)
            if kinds is not None:
                _check_each(f"operations[{index}].kinds", getattr(operation, "kinds", ()), "messages", kinds)
        _check_each("spared", self.spared, "nodes", nodes)

    def with_choices(self, choices: Mapping[int, Mapping[str, Selector]]) -> FaultPlan:
        """The plan with what chance selected written out: `choices` by operation and field. Nobody: without it."""
        operations = []
        for index, operation in enumerate(self.operations):
            chosen = choices.get(index, {})
            if () not in chosen.values():
                operations.append(replace(operation, **chosen))  # type: ignore[arg-type]  # its fields' own values
        return replace(self, operations=tuple(operations))

    def to_data(self) -> dict[str, Any]:
        """As lists, dicts, text and numbers. Fields that have their default are left out."""
        data: dict[str, Any] = {"version": VERSION}
        if self.spared:
            data["spared"] = list(self.spared)
        data["operations"] = [_operation_data(operation) for operation in self.operations]
        return data

    def to_json(self) -> str:
        """As text, one operation a line."""
        data = self.to_data()
        lines = ",\n".join(f"    {json.dumps(operation)}" for operation in data.pop("operations"))
        return f'{json.dumps(data)[:-1]}, "operations": [\n{lines}\n]}}\n'

    @classmethod
    def from_data(cls, data: object) -> FaultPlan:
        """The inverse of `to_data`. Raises ConfigError, which says where, when `data` is no plan."""
        if not isinstance(data, dict):
            raise ConfigError("plan", _shortened(data), 'an object: {"version": 1, "operations": [...]}')
        surplus = sorted(str(key) for key in data.keys() - {"version", "operations", "spared"})
        if surplus:
            raise ConfigError(surplus[0][:80], _shortened(data[surplus[0]]), "one of version, operations and spared")
        if data.get("version") != VERSION or isinstance(data.get("version"), bool):
            raise ConfigError("version", _shortened(data.get("version")), str(VERSION))
        spared, operations = data.get("spared", []), data.get("operations")
        names = isinstance(spared, list) and all(isinstance(name, str) for name in spared)
        if not names or len(spared) > SPARED_MAX:
            raise ConfigError("spared", _shortened(spared), f"a list of at most {SPARED_MAX} names")
        if not isinstance(operations, list):
            raise ConfigError("operations", _shortened(operations), "a list")
        return cls(
            tuple(_operation_of(each, f"operations[{index}]") for index, each in enumerate(operations)), tuple(spared)
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> FaultPlan:
        """The inverse of `to_json`. Raises ConfigError, which says where, when `text` is no plan."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise ConfigError("plan", f"text with an error at {where}", f"JSON ({error.msg})") from error
        except (UnicodeDecodeError, RecursionError) as error:
            raise ConfigError("plan", "these bytes", "JSON in UTF-8, nested a few levels deep") from error
        return cls.from_data(data)


def _operation_data(operation: Operation) -> dict[str, Any]:
    data: dict[str, Any] = {"do": type(operation).__name__.lower()}
    for each in fields(operation):
        value = getattr(operation, each.name)
        if value != each.default:
            data[each.name] = list(value) if isinstance(value, tuple) else value
    return data


def _operation_of(data: object, where: str) -> Operation:
    if not isinstance(data, dict):
        raise ConfigError(where, _shortened(data), 'an object such as {"do": "crash", "at_s": 3, "nodes": "1 random"}')
    kind = OPERATIONS.get(data["do"]) if isinstance(data.get("do"), str) else None
    if kind is None:
        raise ConfigError(f"{where}.do", _shortened(data.get("do")), _listed(list(OPERATIONS)))
    known = {each.name: each for each in fields(kind)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key == "do":
            continue
        if key not in known:
            allowed = f"for {data['do']} only {_listed(list(known))}"
            raise ConfigError(f"{where}.{str(key)[:80]}", _shortened(value), allowed)
        values[key] = tuple(value) if isinstance(value, list) else value
    for name, each in known.items():
        if name not in values and each.default is MISSING:
            raise ConfigError(f"{where}.{name}", None, f"a value: {data['do']} needs it")
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}.{error.field}", _shortened(error.value), error.allowed) from error


def _check_each(where: str, names: Selector, what: str, *known: Collection[str]) -> None:
    """Of a list of names; whoever chance draws is there."""
    if isinstance(names, str):
        return
    for place, name in enumerate(names):
        if not any(name in some for some in known):
            shown = list(islice(chain(*known), SHOWN_MAX))
            more = sum(map(len, known)) - len(shown)
            allowed = f"one of the {what} of this run: {', '.join(shown)}{f' and {more} more' if more else ''}"
            raise ConfigError(f"{where}[{place}]", name[:80], allowed)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _shortened(value: object) -> object:
    """A value for an error's text: itself, unless that would fill a screen."""
    text = repr(value)
    return value if len(text) <= 80 else f"{text[:77]}..."
