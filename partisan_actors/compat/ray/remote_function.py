"""`ray.remote`: of a function, a task whose process is its own meanwhile; of a class, an actor class."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import partisan_actors as pa
from partisan_actors.compat.ray.absent import refuse_members
from partisan_actors.compat.ray.actor import actor_class
from partisan_actors.compat.ray.lifecycle import ensure_session, is_local
from partisan_actors.compat.ray.options import task_options

__all__ = ["RemoteFunction", "StreamFunction", "remote"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class RemoteFunction(pa.RemoteFunction[P, R_co]):
    """What `ray.remote` makes of a function: its options are Ray's."""

    if not TYPE_CHECKING:  # the checkers know it from the base class

        def remote(self, /, *args: Any, **kwargs: Any) -> Any:
            """Run it somewhere; begins a session if there is none. Raises TypeError."""
            ensure_session()
            if is_local() and self._options.isolation is not None:
                return pa.RemoteFunction.options(self, isolation=None).remote(*args, **kwargs)
            return super().remote(*args, **kwargs)

    def options(self, /, **options: Any) -> Any:  # of this very class; what its calls give depends on the options
        """The same function with other options. Raises ValueError, TypeError, and NotImplementedError."""
        if "max_calls" in options:
            raise ValueError("max_calls can only be said in @ray.remote, not in options().")
        return super().options(**task_options(options))


refuse_members(RemoteFunction, "RemoteFunction")


class StreamFunction(RemoteFunction[P, R_co]):
    """What it makes of a generator: `remote` gives an ObjectRefGenerator."""


def remote(*args: Any, **options: Any) -> Any:
    """Make a function a task, or a class an actor class: ``@ray.remote``, or with options ``@ray.remote(num_cpus=2)``.

    Raises TypeError for what is neither, ValueError for an ``async`` function: that is for methods of actors.
    """
    if len(args) == 1 and not options and callable(args[0]):
        return _decorated(args[0], {})
    assert not args and options, (
        "The @ray.remote decorator must be applied either with no arguments and no parentheses, for example "
        "'@ray.remote', or with options, for example '@ray.remote(num_returns=2)'."
    )
    # What is wrong with them is said here, as far as it does not depend on what is decorated.
    return lambda target: _decorated(target, options)


def _decorated(target: Any, options: dict[str, Any]) -> Any:
    if isinstance(target, type):
        return actor_class(target, options)
    if not inspect.isfunction(target) and not inspect.isbuiltin(target):
        raise TypeError("The @ray.remote decorator must be applied to either a function or a class.")
    if inspect.iscoroutinefunction(target):
        raise ValueError(
            "'async def' should not be used for remote tasks. You can wrap the async function with "
            "asyncio.run(f()) in a plain one, or make it a method of an actor."
        )
    return _task(target, {"isolation": "process", **task_options(options)})


def _task(function: Callable[..., Any], options: dict[str, Any]) -> RemoteFunction[..., Any]:
    plain: pa.RemoteFunction[..., Any] = pa.task(**options)(function)
    kind = StreamFunction if isinstance(plain, pa.StreamFunction) else RemoteFunction
    return kind(function, plain._options)
