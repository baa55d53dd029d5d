"""Who refers to an object within this process, in words: what Python's garbage collector knows of it."""

from __future__ import annotations

import gc
from types import CellType, CoroutineType, FrameType, GeneratorType, ModuleType
from typing import Any, Final

__all__ = ["REFERRERS_MAX", "referrers_of"]

REFERRERS_MAX: Final = 20


def referrers_of(target: Any, but: tuple[type, ...] = ()) -> list[str]:
    """At most REFERRERS_MAX of them, without those that are one of `but`.

    Local variables of functions that run are not among them: the collector does not see those. It looks at every object
    there is, which takes about a second for ten million.
    """
    found: list[str] = []
    for referrer in gc.get_referrers(target):
        if len(found) >= REFERRERS_MAX:
            break
        try:
            text = _described(referrer, target)
        except Exception:  # noqa: BLE001 - a user's own __repr__ or __getattr__ may raise anything
            text = f"a {type(referrer).__qualname__}"
        if text and not isinstance(referrer, but):
            found.append(text)
    return found


def _described(referrer: Any, target: Any) -> str:
    if isinstance(referrer, FrameType):
        code = referrer.f_code
        if code.co_filename == __file__:
            return ""
        return f"a local variable of {code.co_qualname} ({code.co_filename}:{referrer.f_lineno})"
    if isinstance(referrer, (CoroutineType, GeneratorType)):
        return f"a local variable of {referrer.__qualname__}"
    if isinstance(referrer, dict):
        return _described_dict(referrer, target)
    if isinstance(referrer, CellType):
        return "a variable of a closure"
    if isinstance(referrer, (list, tuple, set, frozenset)):
        return f"an item of a {type(referrer).__name__} of {len(referrer)}"
    kind = type(referrer)
    names = [name for name, value in _attributes(referrer) if value is target]
    return f"{f'attribute {names[0]!r} of ' if names else ''}a {kind.__module__}.{kind.__qualname__}"


def _described_dict(referrer: dict[Any, Any], target: Any) -> str:
    names = [key for key, value in list(referrer.items()) if value is target]
    name = repr(names[0])[:60] if names else ""
    for owner in gc.get_referrers(referrer):
        if getattr(owner, "__dict__", None) is referrer:
            if isinstance(owner, ModuleType):
                return f"the global {name} of module {owner.__name__}"
            return f"attribute {name} of a {type(owner).__module__}.{type(owner).__qualname__}"
    return f"{f'the value of {name}' if name else 'a key'} in a dict of {len(referrer)}"


def _attributes(referrer: Any) -> list[tuple[str, Any]]:
    try:
        return list(vars(referrer).items())
    except TypeError:
        names = [name for cls in type(referrer).__mro__ for name in getattr(cls, "__slots__", ())]
        return [(name, getattr(referrer, name, None)) for name in names if not name.startswith("__")]
