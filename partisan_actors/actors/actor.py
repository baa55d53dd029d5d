"""What a class says about the actors made of it: which methods can be called from afar, and with which arguments.

`Interface` is what callers need (it travels with handles); `Definition` adds the class itself, and stays on the nodes
that run its actors.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from partisan_actors.actors.method_options import MARK, PLAIN, MethodOptions
from partisan_actors.errors import ConfigError
from partisan_actors.values import dataclass

__all__ = ["AnyMethods", "Definition", "Interface", "Method", "arity_of", "name_of"]

ASYNC: Final = "async"
SYNC: Final = "sync"

# Hooks: called by the cell, never from afar.
HOOKS: Final = ("on_start", "on_stop")


@dataclass(frozen=True, slots=True)
class Method:
    """One callable method: its name, kind, and how many positional arguments it takes (`most` is None for any).

    `options` is what it says of calls of it; `streams` tells whether it is a generator.
    """

    name: str
    kind: str
    least: int
    most: int | None
    signature: inspect.Signature | None = None
    options: MethodOptions = PLAIN
    streams: bool = False

    def bind(self, where: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise TypeError, naming the method, when it cannot be called like this."""
        if self.signature is None:
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            signature = str(self.signature).replace("=Ellipsis", "=...")  # defaults stay where the class is
            raise TypeError(f"{where}{signature}: {error}") from None


@dataclass(frozen=True, slots=True)
class Interface:
    """What callers know of a class: its name, its methods, and why its other attributes cannot be called.

    And of how its actors were made, as far as calls go: the names of their `groups`, how often calls are tried again,
    how many of one handle may be unanswered (None: any number), and how they are traced (None: as everything is).
    `in_order` says that its blocking methods run one after another.
    """

    class_name: str
    methods: Mapping[str, Method]
    constructor: Method
    doc: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    max_task_retries: int = 0
    pending_max: int | None = None
    in_order: bool = True
    tracing: str | float | None = None

    def has_no(self, name: str) -> AttributeError:
        """The error for a call of what is no remote method."""
        why = self.refused.get(name) or f"its methods are {', '.join(sorted(self.methods)) or 'none'}"
        return AttributeError(f"{self.class_name} has no remote method {name!r}: {why}")


class AnyMethods(Mapping[str, Method]):
    """The methods of an actor whose class is not known here: every public name may be one, and the actor knows."""

    def __getitem__(self, name: str) -> Method:
        if name.startswith("_") or not name.isidentifier():
            raise KeyError(name)
        return Method(name, SYNC, 0, None)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Definition:
    """A class that actors are made of."""

    cls: type
    interface: Interface
    # The methods that are certain to make a coroutine, so that no look at what they return is needed.
    coroutines: frozenset[str] = frozenset()

    @classmethod
    def of(cls, actor_class: type, class_name: str = "") -> Definition:
        """Read a class. Raises ConfigError for what is not a class.

        Of the special methods (``__len__``) only ``__call__`` is for callers, and those that are marked by `method`.

        `class_name` is what its actors' maker calls it: a class that came by value has forgotten where it was defined.
        """
        if not isinstance(actor_class, type):
            raise ConfigError("@actor", actor_class, "a class")
        methods: dict[str, Method] = {}
        refused: dict[str, str] = {}
        for name in dir(actor_class):
            attribute = inspect.getattr_static(actor_class, name)
            if (name.startswith("__") and name != "__call__" and not hasattr(attribute, MARK)) or name in HOOKS:
                continue
            if isinstance(attribute, property):
                refused[name] = "it is a property: call a method instead"
                continue
            function = attribute.__func__ if isinstance(attribute, (staticmethod, classmethod)) else attribute
            if not callable(function) or isinstance(function, type):
                continue
            methods[name] = _method(name, function, bound=not isinstance(attribute, staticmethod))
        constructor = _method("__init__", _maker(actor_class), bound=True)
        doc = inspect.getdoc(actor_class) or ""
        interface = Interface(class_name or name_of(actor_class), methods, constructor, doc, refused)
        plain = frozenset(
            name for name in methods if inspect.iscoroutinefunction(inspect.getattr_static(actor_class, name))
        )
        return cls(actor_class, interface, plain)


def _maker(actor_class: Any) -> Any:
    """What takes the constructor's arguments: a class without an `__init__` may have a `__new__` that does."""
    if actor_class.__init__ is object.__init__ and actor_class.__new__ is not object.__new__:
        return actor_class.__new__
    return actor_class.__init__


def name_of(named: Any) -> str:
    """What a class or function is called in texts and traces: without the functions that it was defined in."""
    qualified: str = named.__qualname__
    return qualified.rpartition("<locals>.")[2]


def arity_of(parameters: Sequence[inspect.Parameter]) -> tuple[int, int | None]:
    """How many positional arguments, and nothing else, fit for sure: the least, and the most (None: any number)."""
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    keyword_needed = any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters)
    least = len(required) if not keyword_needed else 1_000_000  # always take the careful way
    return least, None if any_number else len(positional)


def _method(name: str, function: Any, bound: bool) -> Method:
    inner = inspect.unwrap(function)
    streams = inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner)
    kind = ASYNC if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner) else SYNC
    options: MethodOptions = getattr(function, MARK, getattr(inner, MARK, PLAIN))
    options.check_for(name, streams)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C, without a signature
        return Method(name, kind, 0, None, None, options, streams)
    parameters = list(signature.parameters.values())
    if function is object.__init__:
        parameters = parameters[:1]  # object's constructor claims *args, and refuses them
    if bound and parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        parameters = parameters[1:]
    least, most = arity_of(parameters)
    # Annotations and defaults may be anything, also what cannot be sent; callers need neither.
    bare = [p.replace(annotation=p.empty, default=p.empty if p.default is p.empty else ...) for p in parameters]
    return Method(name, kind, least, most, inspect.Signature(bare), options, streams)
