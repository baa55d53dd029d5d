"""Handles with what Ray's have beside methods: ids, and options of calls by Ray's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import partisan_actors as pa
from partisan_actors.compat.ray.options import call_options
from partisan_actors.ids import ActorId

__all__ = ["ActorHandle", "ActorMethod", "as_handle"]

T_co = TypeVar("T_co", covariant=True)


class ActorMethod:
    """A method of an actor: `remote` calls it, `options` takes Ray's options for one call."""

    __slots__ = ("_plain", "remote", "tell")

    def __init__(self, plain: Any) -> None:
        self._plain = plain
        self.remote: Callable[..., Any] = plain.remote
        self.tell: Callable[..., None] = plain.tell

    def options(self, **options: Any) -> ActorMethod:
        """The same with other options. Raises ValueError and TypeError."""
        return ActorMethod(self._plain.options(**call_options(options)))

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"{self!r} cannot be called directly: write .remote(...) behind its name")

    def __repr__(self) -> str:
        return repr(self._plain)


class ActorHandle(pa.ActorHandle[T_co]):
    """A handle of this package, with what Ray's has beside the methods of its actor."""

    def __getattr__(self, name: str) -> Any:
        made = ActorMethod(super().__getattr__(name))
        self.__dict__[name] = made
        return made

    @property
    def _actor_id(self) -> ActorId:
        return self._location.actor

    @property
    def _ray_actor_id(self) -> ActorId:
        return self._location.actor

    def __repr__(self) -> str:
        return f"Actor({self._location.class_name}, {self._location.actor.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, super().__reduce__()


def as_handle(plain: pa.ActorHandle[T_co]) -> ActorHandle[T_co]:
    """The same handle, as Ray's users know it: the actor is kept by either."""
    made: ActorHandle[T_co] = object.__new__(ActorHandle)
    made.__dict__.update({name: value for name, value in plain.__dict__.items() if name in _FIELDS})
    return made


_FIELDS = frozenset({"_location", "_interface", "_system", "_options", "_hold", "_pending"})


def _rebuilt(rebuild: Callable[..., pa.ActorHandle[Any]], args: tuple[Any, ...]) -> ActorHandle[Any]:
    return as_handle(rebuild(*args))
