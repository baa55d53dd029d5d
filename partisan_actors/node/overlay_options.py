"""Options of overlays: from plain mappings, as people write them, to the dataclass that a strategy takes, and back."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

from partisan_actors.errors import ConfigError

__all__ = ["merged", "options_from", "plain"]

FIELD: Final = "overlay_options"
DEPTH_MAX: Final = 8

_INVALID: Final = " is not valid: expected "
_NAMES: Final[Mapping[Any, str]] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): "none",
}  # fmt: skip


def plain(options: Any, where: str = FIELD, depth: int = 0) -> Any:
    """`options` as maps, lists, text and numbers, which travel to other processes; dataclasses become maps.

    Raises ConfigError, naming the place, for anything else.
    """
    if depth > DEPTH_MAX:
        raise ConfigError(where, "...", f"at most {DEPTH_MAX} levels")
    if dataclasses.is_dataclass(options) and not isinstance(options, type):
        options = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    if isinstance(options, Mapping):
        for name in options:
            if not isinstance(name, str):
                raise ConfigError(where, name, "names of options, which are text")
        return {name: plain(value, f"{where}.{name}", depth + 1) for name, value in options.items()}
    if isinstance(options, list | tuple):
        return [plain(value, f"{where}[{index}]", depth + 1) for index, value in enumerate(options)]
    if options is None or isinstance(options, bool | int | float | str):
        return options
    raise ConfigError(where, options, "numbers, text, true or false, none, and lists, maps or dataclasses of those")


def merged(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """`theirs`, with what `ours` says instead, level by level."""
    out = dict(theirs)
    for name, value in ours.items():
        before = out.get(name)
        out[name] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return out


def options_from(options_type: Any, given: Mapping[str, Any], where: str = FIELD) -> Any:
    """An `options_type`, a dataclass, from the map `given`; a field that is itself a dataclass from a map in that one.

    Raises ConfigError: for a name that is no option it lists those that are, for a value it says what may be.
    """
    hints = typing.get_type_hints(options_type)
    names = [field.name for field in dataclasses.fields(options_type) if field.init]
    for name in given:
        if name not in names:
            raise ConfigError(where, name, f"one of {', '.join(names)}" if names else "nothing: it has no options")
    made = {name: _fit(hints[name], value, f"{where}.{name}") for name, value in given.items()}
    try:
        return options_type(**made)
    except (TypeError, ValueError) as error:
        raise _refused(str(error), given, where) from error


def _refused(text: str, given: Mapping[str, Any], where: str) -> ConfigError:
    """The options refuse a value with "NAME = VALUE is not valid: expected ...", or in other words."""
    head, found, allowed = text.partition(_INVALID)
    name = head.partition(" = ")[0]
    if found and name in given:
        return ConfigError(f"{where}.{name}", given[name], allowed)
    return ConfigError(where, dict(given), f"options that fit together ({text})")


def _fit(hint: Any, value: Any, where: str) -> Any:
    """`value` as a field declared as `hint` holds it."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return _fit_any(typing.get_args(hint), value, where)
    if dataclasses.is_dataclass(hint):
        if isinstance(value, Mapping):
            return options_from(hint, value, where)
        raise ConfigError(where, value, f"a map with {', '.join(each.name for each in dataclasses.fields(hint))}")
    origin = typing.get_origin(hint) or hint
    if origin in (tuple, Sequence) and isinstance(value, list):
        return tuple(value)
    if origin is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    kind = _NAMES.get(origin)
    if kind is not None and type(value) is not origin:
        raise ConfigError(where, value, kind)
    return value


def _fit_any(hints: Sequence[Any], value: Any, where: str) -> Any:
    allowed: list[str] = []
    for hint in hints:
        try:
            return _fit(hint, value, where)
        except ConfigError as error:
            if isinstance(value, Mapping) and dataclasses.is_dataclass(hint):
                raise  # it is meant to be this one
            allowed.append(error.allowed)
    raise ConfigError(where, value, " or ".join(allowed))
