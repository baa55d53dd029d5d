"""`@task` and what it makes: a function whose calls run somewhere in the cluster."""

from __future__ import annotations

import functools
import inspect
import logging
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from partisan_actors.actors.actor import arity_of, name_of
from partisan_actors.actors.consuming import Incoming
from partisan_actors.actors.context import current_cell, current_owner
from partisan_actors.actors.method_options import STREAM_AHEAD, STREAMING
from partisan_actors.api import session
from partisan_actors.api.calls import takes_references
from partisan_actors.api.capture import captured_placement
from partisan_actors.api.configured import Collected, collect, spread
from partisan_actors.api.namespaces import running_namespace
from partisan_actors.api.options import TaskOptions
from partisan_actors.api.runtime_env import environment_for
from partisan_actors.errors import ConfigError
from partisan_actors.objects.stream import ObjectRefGenerator
from partisan_actors.tasks.running import current_task
from partisan_actors.tasks.spec import TaskKind

if TYPE_CHECKING:
    from typing import Unpack

    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.api.calls import RemoteCall
    from partisan_actors.api.options import OtherTaskKeywords as Others
    from partisan_actors.api.runtime import Runtime
    from partisan_actors.ids import NodeId
    from partisan_actors.objects.ref import ObjectRef
    from partisan_actors.scheduler.environment import Environment
    from partisan_actors.scheduler.strategies import InPlacementGroup
    from partisan_actors.tasks.retry import Retries

__all__ = ["RemoteFunction", "StreamFunction", "task"]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
G_co = TypeVar("G_co", covariant=True)


class RemoteFunction(Generic[P, R_co]):
    """What `@task` makes of a function: `remote(...)` runs it somewhere and returns a ref.

    The plain function is `.function`.
    """

    def __init__(self, function: Callable[P, Any], options: TaskOptions) -> None:
        options.of_calls().check_for(getattr(function, "__name__", "the task"), _is_generator(function))
        functools.update_wrapper(cast(Any, self), function)
        self.function = function
        self._options = options
        # Of the last call, and where that was made.
        self._last_kind: tuple[tuple[object, ...], TaskKind] | None = None

    @functools.cached_property
    def _signature(self) -> inspect.Signature | None:
        # Read at the first use: a function that calls itself is unpickled while it still lacks its defaults.
        try:
            return inspect.signature(self.function)
        except ValueError:  # written in C, without a signature
            return None

    @functools.cached_property
    def _arity(self) -> tuple[int, float]:
        """How many positional arguments, and nothing else, are right without a closer look."""
        least, most = arity_of(list(self._signature.parameters.values())) if self._signature is not None else (0, None)
        return least, math.inf if most is None else most

    @functools.cached_property
    def _retries(self) -> Retries:
        return self._options.retries()

    @takes_references
    def remote(self, /, *args: P.args, **kwargs: P.kwargs) -> ObjectRef[R_co]:
        """Run the function with these arguments. Returns at once: a ref, or what `num_returns` says.

        Raises TypeError when the arguments do not fit, SerializationError when one cannot be sent; everything else,
        Unplaceable included, is in the ref. A top-level ref among the arguments is replaced by its value.
        """
        least, most = self._arity
        if kwargs or not least <= len(args) <= most:
            self._check(args, kwargs)
        system = session.system()
        runtime: Runtime = system.extensions["runtime"]
        kind = self._kind(system, runtime)
        submit = runtime.submitter.submit
        returns = self._options.num_returns
        if returns in (None, 1) and not self._streams:
            return submit(kind, args, kwargs, self._retries)
        whole = partial(submit, kind, args, kwargs, self._retries)
        name = kind.name
        made: Any = self._streamed(system, name, whole) if self._streams else _several(system, name, whole(), returns)
        return made  # type: ignore[no-any-return]  # what it is depends on the options

    def _check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._signature is not None:
            try:
                self._signature.bind(*args, **kwargs)
            except TypeError as error:
                name = self._options.name or name_of(self.function)
                raise TypeError(f"{name}{self._signature}: {error}") from None

    def _kind(self, system: ActorSystem, runtime: Runtime) -> TaskKind:
        """What all calls from where this one is made have in common; the last one is remembered."""
        options = self._options
        where: tuple[InPlacementGroup | None, Environment, str, NodeId]
        if current_task.get() is None and current_cell.get() is None and not options.runtime_env:
            # A program, and no task or actor: nothing is inherited.
            where = None, runtime.environment, system.node.config.namespace, current_owner.get() or system.me
        else:
            captured = captured_placement(runtime.scheduler) if options.is_capturable else None
            environment = environment_for(runtime, options.runtime_env)
            where = captured, environment, running_namespace(system), current_owner.get() or system.me
        known = self._last_kind
        if known is not None and known[0] == where and system.code.blob(known[1].code) is not None:
            return known[1]
        name = options.name or name_of(self.function)
        code = system.code.add(self.function, f"the function {name}")
        isolation, request = options.isolated(where[1]), options.request(where[0])
        kind = TaskKind(
            name, code, request, where[3], where[2], isolation, where[1], options.max_calls, options.tracing
        )
        self._last_kind = where, kind
        return kind

    @functools.cached_property
    def _streams(self) -> bool:
        return _is_generator(self.function)

    def _streamed(self, system: ActorSystem, name: str, submit: Callable[..., ObjectRef[Any]]) -> Any:
        new_ref: Callable[[], ObjectRef[Any]] = system.extensions["objects"].new_ref
        ahead = self._options.generator_backpressure or STREAM_AHEAD
        incoming = Incoming(system.streams, name, ahead, new_ref)
        total = submit(incoming, ahead)
        work = Collected(partial(system.cancelling.cancel, total), total)
        system.cancelling.watch([incoming.outcome], work)

        def ended() -> None:
            system.cancelling.ended([incoming.outcome])
            error = total.exception()
            incoming.ended(None if error is not None else total.result(), error)

        total.add_waiter(ended)
        returns = self._options.num_returns
        if returns is None or returns == STREAMING:
            return ObjectRefGenerator(incoming)
        return collect(system, incoming, returns, name, new_ref)

    if TYPE_CHECKING:

        @overload
        def options(  # type: ignore[overload-overlap]  # one is more special than any number
            self, /, *, num_returns: Literal[1] | None = ..., **options: Unpack[Others]
        ) -> RemoteFunction[P, R_co]: ...
        @overload
        def options(  # type: ignore[overload-overlap]  # and so is none
            self, /, *, num_returns: Literal[0], **options: Unpack[Others]
        ) -> SpreadFunction[P, None]: ...
        @overload
        def options(
            self, /, *, num_returns: int, **options: Unpack[Others]
        ) -> SpreadFunction[P, list[ObjectRef[Any]]]: ...

    def options(self, /, **options: Any) -> Any:
        """The same function with other options; see `TaskOptions`. Raises ConfigError naming what is wrong."""
        return type(self)(self.function, self._options.with_(options))

    if not TYPE_CHECKING:  # a type checker says so by itself

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            name = self.function.__name__
            where = f"write {name}.remote(...) to run it in the cluster, {name}.function(...) here"
            raise TypeError(f"{name} is a task: {where}")

    def __repr__(self) -> str:
        return f"<task {self.function.__module__}.{self.function.__qualname__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.function, self._options)


class StreamFunction(RemoteFunction[P, T_co], Generic[P, T_co]):
    """What `@task` makes of a generator: `remote(...)` gives an ObjectRefGenerator, unless `num_returns` says else."""

    if TYPE_CHECKING:

        @property
        def remote(self) -> RemoteCall[P, ObjectRefGenerator[T_co]]: ...  # type: ignore[override]  # see above
        @overload  # type: ignore[override]  # other results than those of a plain function
        def options(
            self, /, *, num_returns: Literal["streaming"] | None = ..., **options: Unpack[Others]
        ) -> StreamFunction[P, T_co]: ...
        @overload
        def options(
            self, /, *, num_returns: Literal["dynamic"], **options: Unpack[Others]
        ) -> SpreadFunction[P, ObjectRef[list[ObjectRef[T_co]]]]: ...
        @overload
        def options(  # type: ignore[overload-overlap]  # none is more special than any number
            self, /, *, num_returns: Literal[0], **options: Unpack[Others]
        ) -> SpreadFunction[P, None]: ...
        @overload
        def options(
            self, /, *, num_returns: int, **options: Unpack[Others]
        ) -> SpreadFunction[P, list[ObjectRef[T_co]]]: ...
        def options(self, /, **options: Any) -> Any: ...


if TYPE_CHECKING:

    class SpreadFunction(RemoteFunction[P, Any], Generic[P, G_co]):
        """What `num_returns` makes of a task: `remote(...)` gives `G_co`."""

        @property
        def remote(self) -> RemoteCall[P, G_co]: ...  # type: ignore[override]  # see above


def _is_generator(function: Any) -> bool:
    inner = inspect.unwrap(function)
    return inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner)


def _several(system: ActorSystem, name: str, ref: ObjectRef[Any], count: int) -> list[ObjectRef[Any]] | None:
    """No ref, or several, for the results that `ref` will have."""
    refs = [system.extensions["objects"].new_ref() for _ in range(count)]
    system.cancelling.watch(refs, Collected(partial(system.cancelling.cancel, ref), ref))

    def ended() -> None:
        system.cancelling.ended(refs)
        error = ref.exception()
        if refs:
            spread(refs, name, None if error is not None else ref.result(), error)
        elif error is not None:
            logger.error("task %s, called with num_returns=0, failed", name, exc_info=error)

    ref.add_waiter(ended)
    return refs or None


class NothingDecorator(Protocol):
    """What `task` with ``num_returns=0`` gives."""

    def __call__(self, function: Callable[P, Any], /) -> SpreadFunction[P, None]: ...


class SpreadDecorator(Protocol):
    """What `task` with another number as `num_returns` gives: the function has to return so many results."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, Sequence[T]]], /
    ) -> SpreadFunction[P, list[ObjectRef[T]]]: ...
    @overload
    def __call__(self, function: Callable[P, Iterator[T]], /) -> SpreadFunction[P, list[ObjectRef[T]]]: ...
    @overload
    def __call__(self, function: Callable[P, AsyncIterator[T]], /) -> SpreadFunction[P, list[ObjectRef[T]]]: ...
    @overload
    def __call__(self, function: Callable[P, Sequence[T]], /) -> SpreadFunction[P, list[ObjectRef[T]]]: ...


class DynamicDecorator(Protocol):
    """What `task` with ``num_returns="dynamic"`` gives, for generators."""

    @overload
    def __call__(self, function: Callable[P, Iterator[T]], /) -> SpreadFunction[P, ObjectRef[list[ObjectRef[T]]]]: ...
    @overload
    def __call__(
        self, function: Callable[P, AsyncIterator[T]], /
    ) -> SpreadFunction[P, ObjectRef[list[ObjectRef[T]]]]: ...


class TaskDecorator(Protocol):
    """What `task` with options gives."""

    # First, because it is what the checkers take for a function without annotations.
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> RemoteFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, Iterator[T]], /) -> StreamFunction[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, AsyncIterator[T]], /) -> StreamFunction[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> RemoteFunction[P, R]: ...


@overload
def task(function: Callable[P, Coroutine[Any, Any, R]], /) -> RemoteFunction[P, R]: ...


@overload
def task(function: Callable[P, Iterator[T]], /) -> StreamFunction[P, T]: ...


@overload
def task(function: Callable[P, AsyncIterator[T]], /) -> StreamFunction[P, T]: ...


@overload
def task(function: Callable[P, R], /) -> RemoteFunction[P, R]: ...


@overload
def task(  # type: ignore[overload-overlap]  # one is more special than any number
    *, num_returns: Literal[1, "streaming"] | None = ..., **options: Unpack[Others]
) -> TaskDecorator: ...


@overload
def task(*, num_returns: Literal["dynamic"], **options: Unpack[Others]) -> DynamicDecorator: ...


@overload
def task(  # type: ignore[overload-overlap]  # and so is none
    *, num_returns: Literal[0], **options: Unpack[Others]
) -> NothingDecorator: ...


@overload
def task(*, num_returns: int, **options: Unpack[Others]) -> SpreadDecorator: ...


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
    kind: type[RemoteFunction[P, Any]] = StreamFunction if _is_generator(function) else RemoteFunction
    return kind(function, options)
