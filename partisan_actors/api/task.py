"""`@task` and what it makes: a function whose calls run somewhere in the cluster."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from partisan_actors.actors.actor import name_of
from partisan_actors.api import session
from partisan_actors.api.calls import takes_references
from partisan_actors.api.capture import captured_placement
from partisan_actors.api.namespaces import running_namespace
from partisan_actors.api.options import TaskOptions
from partisan_actors.errors import ConfigError
from partisan_actors.objects.ref import ObjectRef

if TYPE_CHECKING:
    from typing import Unpack

    from partisan_actors.api.options import TaskKeywords
    from partisan_actors.api.runtime import Runtime

__all__ = ["RemoteFunction", "task"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class RemoteFunction(Generic[P, R_co]):
    """What `@task` makes of a function: `remote(...)` runs it somewhere and returns a ref.

    The plain function is `.function`.
    """

    def __init__(self, function: Callable[P, Any], options: TaskOptions) -> None:
        functools.update_wrapper(cast(Any, self), function)
        self.function = function
        self._options = options

    @functools.cached_property
    def _signature(self) -> inspect.Signature | None:
        # Read at the first use: a function that calls itself is unpickled while it still lacks its defaults.
        try:
            return inspect.signature(self.function)
        except ValueError:  # written in C, without a signature
            return None

    @takes_references
    def remote(self, /, *args: P.args, **kwargs: P.kwargs) -> ObjectRef[R_co]:
        """Run the function with these arguments. Returns at once.

        Raises TypeError when the arguments do not fit, SerializationError when one cannot be sent; everything else,
        Unplaceable included, is in the ref. A top-level ref among the arguments is replaced by its value.
        """
        name = self._options.name or name_of(self.function)
        signature = self._signature
        if signature is not None:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{name}{signature}: {error}") from None
        system = session.system()
        runtime: Runtime = system.extensions["runtime"]
        code = system.code.add(self.function, f"the function {name}")
        options = self._options
        captured = captured_placement(runtime.scheduler) if options.is_capturable else None
        return runtime.submitter.submit(
            code, name, args, kwargs, options.request(captured), options.retries(), running_namespace(system)
        )

    def options(self, /, **options: Unpack[TaskKeywords]) -> RemoteFunction[P, R_co]:
        """The same function with other options; see `TaskOptions`. Raises ConfigError naming what is wrong."""
        return RemoteFunction(self.function, self._options.with_(options))

    if not TYPE_CHECKING:  # a type checker says so by itself

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            name = self.function.__name__
            where = f"write {name}.remote(...) to run it in the cluster, {name}.function(...) here"
            raise TypeError(f"{name} is a task: {where}")

    def __repr__(self) -> str:
        return f"<task {self.function.__module__}.{self.function.__qualname__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteFunction, (self.function, self._options)


class TaskDecorator(Protocol):
    """What `task` with options gives."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> RemoteFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> RemoteFunction[P, R]: ...


@overload
def task(function: Callable[P, Coroutine[Any, Any, R]], /) -> RemoteFunction[P, R]: ...


@overload
def task(function: Callable[P, R], /) -> RemoteFunction[P, R]: ...


@overload
def task(**options: Unpack[TaskKeywords]) -> TaskDecorator: ...


def task(function: Any = None, /, **options: Any) -> Any:
    """Decorator: makes a function, plain or ``async``, a remote task. With options: ``@task(num_cpus=2)``.

    Raises ConfigError for an option that is not valid, and for what is not a function.
    """
    defaults = TaskOptions().with_(options)
    if function is not None:
        return _decorate(function, defaults)
    return lambda decorated: _decorate(decorated, defaults)


def _decorate(function: Callable[P, Any], options: TaskOptions) -> RemoteFunction[P, Any]:
    if not callable(function) or isinstance(function, type):
        raise ConfigError("@task", function, "a function; for a class there is @actor")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(
            "@task", function, "a function that returns: streaming tasks are not supported, return a list"
        )
    return RemoteFunction(function, options)
