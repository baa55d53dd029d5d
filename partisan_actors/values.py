"""`dataclass`, as the standard library has it, for less: to make these was a third of what loading this package took.

For ``@dataclass(frozen=True, slots=True)`` the library writes and compiles six methods for each class. Here one is:
`__init__`, which may be called for each message; the others are closures. Who has such a class sees no difference,
which tests try. Every other kind of dataclass is made by the library.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # type checkers know that one
else:

    def dataclass(cls=None, /, **options):  # noqa: ANN001, ANN003, ANN201 - its type is that of the other one
        """`dataclasses.dataclass`."""
        if cls is None:
            return lambda cls: dataclass(cls, **options)
        return _frozen(cls) if _is_plain(cls, options) else dataclasses.dataclass(**options)(cls)


class _NotGiven:
    """The default of a field whose default is made anew for each value."""

    def __repr__(self) -> str:
        return "<factory>"  # as help() shows it


_NOT_GIVEN = _NotGiven()


def _is_plain(cls: type, options: dict[str, Any]) -> bool:
    """Whether it is of the kind that is made here: frozen, with slots, no heir of another, arguments by position."""
    if options != {"frozen": True, "slots": True} or any(map(dataclasses.is_dataclass, cls.__mro__)):
        return False
    types = " ".join(map(str, getattr(cls, "__annotations__", {}).values()))
    fields = [value for value in vars(cls).values() if isinstance(value, Field)]
    return not ("InitVar" in types or "KW_ONLY" in types or any(field.kw_only is True for field in fields))


def _frozen(cls: type) -> type:
    own = frozenset(cls.__dict__)
    cls.__doc__ = cls.__doc__ or cls.__name__  # else the library makes one of the signature, which takes long
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    params, fields = made.__dataclass_params__, dataclasses.fields(made)
    params.init = params.repr = params.eq = params.frozen = True
    methods = _methods_of([f.name for f in fields], [f.name for f in fields if f.repr])
    methods |= _comparing([f.name for f in fields if f.compare], [f.name for f in fields if _is_hashed(f)])
    methods["__init__"] = _init_of(made, fields)
    if "__eq__" in own and made.__hash__ is None:  # Python has set it then; it is not the class's own
        own -= {"__hash__"}
    for name, method in methods.items():
        if name not in own:
            method.__qualname__ = f"{cls.__qualname__}.{name}"
            setattr(made, name, method)
    return cast(type, made)


def _is_hashed(field: Field[Any]) -> bool:
    return field.compare if field.hash is None else field.hash


def _init_of(made: Any, fields: tuple[Field[Any], ...]) -> Any:
    """Sets the fields in their order, by the defaults of those that are not given, and calls `__post_init__`."""
    names: dict[str, Any] = {"_set": object.__setattr__, "_not_given": _NOT_GIVEN}
    parameters, lines = ["self"], []
    for field in fields:
        name, default, factory = field.name, field.default, field.default_factory
        value = name
        if default is not MISSING:
            names[f"_default_{name}"] = default
        elif factory is not MISSING:
            names[f"_make_{name}"] = factory
        if field.init:
            if default is not MISSING:
                parameters.append(f"{name}=_default_{name}")
            elif factory is not MISSING:
                parameters.append(f"{name}=_not_given")
                value = f"_make_{name}() if {name} is _not_given else {name}"
            else:
                parameters.append(name)
        elif default is not MISSING:
            value = f"_default_{name}"
        elif factory is not MISSING:
            value = f"_make_{name}()"
        else:
            continue
        lines.append(f" _set(self, {name!r}, {value})")
    if hasattr(made, "__post_init__"):
        lines.append(" self.__post_init__()")
    made_here: dict[str, Any] = {}
    exec(f"def __init__({', '.join(parameters)}):\n" + ("\n".join(lines) or " pass"), names, made_here)
    init = made_here["__init__"]
    init.__module__ = made.__module__
    init.__annotations__ = {field.name: field.type for field in fields if field.init} | {"return": None}
    return init


def _methods_of(names: list[str], shown: list[str]) -> dict[str, Any]:
    def __repr__(self: Any) -> str:  # noqa: N807 - it becomes a method
        return f"{type(self).__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in shown])})"

    def __setattr__(self: Any, name: str, value: object) -> None:  # noqa: N807 - it becomes a method
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807 - it becomes a method
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __getstate__(self: Any) -> list[Any]:  # noqa: N807 - it becomes a method
        return [getattr(self, name) for name in names]

    def __setstate__(self: Any, state: list[Any]) -> None:  # noqa: N807 - it becomes a method
        for name, value in zip(names, state, strict=False):
            object.__setattr__(self, name, value)

    return {each.__name__: each for each in (__repr__, __setattr__, __delattr__, __getstate__, __setstate__)}


def _comparing(compared: list[str], hashed: list[str]) -> dict[str, Any]:
    values_of, to_hash = _getter(compared), _getter(hashed)

    def __eq__(self: Any, other: Any) -> bool:  # noqa: N807 - it becomes a method
        return values_of(self) == values_of(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807 - it becomes a method
        return hash(to_hash(self))

    return {"__eq__": __eq__, "__hash__": __hash__}


def _getter(names: list[str]) -> Any:
    if not names:
        return lambda value: ()
    # The values of several are a tuple; that of one is itself, which compares and hashes just as well.
    return attrgetter(*names)
