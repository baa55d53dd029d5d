"""Actors by Ray's names: `ActorClass`, `ActorHandle`, `exit_actor`, and the decorator `method`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import partisan_actors as pa
from partisan_actors.compat.ray.absent import refuse_members, refuser_of
from partisan_actors.compat.ray.builtin_methods import give_methods
from partisan_actors.compat.ray.handles import ActorHandle, ActorMethod, as_handle
from partisan_actors.compat.ray.lifecycle import ensure_session, is_local
from partisan_actors.compat.ray.options import actor_options, method_options

__all__ = ["ActorClass", "ActorHandle", "ActorMethod", "actor_class", "exit_actor", "method"]

P = ParamSpec("P")
T_co = TypeVar("T_co", covariant=True)


class ActorClass(pa.ActorClass[P, T_co]):
    """What `ray.remote` makes of a class: its options are Ray's, and each of its actors has a process of its own."""

    if not TYPE_CHECKING:  # the checkers know it from the base class

        def remote(self, /, *args: Any, **kwargs: Any) -> ActorHandle[Any]:
            """Create an actor; begins a session if there is none. Raises TypeError, ValueError."""
            ensure_session()
            if is_local() and self._options.isolation is not None:
                return as_handle(super().options(isolation=None).remote(*args, **kwargs))
            return as_handle(super().remote(*args, **kwargs))

    def options(self, /, **options: Any) -> ActorClass[P, T_co]:
        """The same class with other options. Raises ValueError, TypeError, and NotImplementedError."""
        return _as_rays(super().options(**actor_options(options)))

    def __reduce__(self) -> tuple[Any, ...]:
        return ActorClass, super().__reduce__()[1]


__getattr__ = refuser_of("actor")
refuse_members(ActorClass, "ActorClass")
refuse_members(ActorMethod, "ActorMethod")


def actor_class(cls: type, options: dict[str, Any]) -> ActorClass[..., Any]:
    """What `ray.remote` makes of a class."""
    give_methods(cls)
    made: Any = pa.actor(**{"isolation": "process", **actor_options(options)})(cls)
    return _as_rays(made)


def _as_rays(plain: pa.ActorClass[P, T_co]) -> ActorClass[P, T_co]:
    made: ActorClass[P, T_co] = object.__new__(ActorClass)
    made.__dict__.update(plain.__dict__)
    return made


def exit_actor() -> NoReturn:
    """End the running actor, in its own method. Raises TypeError outside of actors."""
    pa.exit_actor()


def method(*args: Any, **kwargs: Any) -> Any:
    """Decorator with options of a method: ``@ray.method(num_returns=2)``. Raises ValueError, TypeError."""
    if len(args) == 1 and callable(args[0]) and not kwargs:
        return args[0]
    if args or not kwargs:
        raise ValueError("@ray.method has at least one option, as in @ray.method(num_returns=2), and nothing else")
    translated = method_options(kwargs)
    return pa.method(**translated) if translated else lambda function: function
