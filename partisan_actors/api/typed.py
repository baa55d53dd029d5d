"""`method` and `typed`: how a checker without plugins gets to know the methods behind a handle.

Both return what they are given; `method` with options notes them on the function. A checker then finds
`typed(handle).add` on the actor's own class, where `@method` makes it a LocalMethod: callable, as `self.add(1)` in the
class needs it, and with `remote`, `tell` and `options`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, overload

from partisan_actors.actors.method_options import MARK
from partisan_actors.api.actor import ActorHandle
from partisan_actors.api.call_options import method_options
from partisan_actors.api.configured import ConfiguredMethod, StreamMethod
from partisan_actors.api.methods import AckedMethod, ActorMethod

if TYPE_CHECKING:
    from partisan_actors.api.actor import Creatable
    from partisan_actors.api.calls import RemoteCall
    from partisan_actors.objects.ref import ObjectRef

__all__ = ["method", "typed"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
L = TypeVar("L")
L_co = TypeVar("L_co", covariant=True)
G_co = TypeVar("G_co", covariant=True)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
F = TypeVar("F", bound=Callable[..., Any])


class LocalMethod(Protocol[P, R_co, L_co]):
    """A method under `@method`, read from an instance: `R_co` is its result elsewhere, `L_co` here (a coroutine)."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> L_co: ...
    @property
    def remote(self) -> RemoteCall[P, ObjectRef[R_co]]: ...
    @property
    def tell(self) -> RemoteCall[P, None]: ...
    @overload
    def options(
        self,
        *,
        ack: Literal[True],
        timeout: float | None = ...,
        channel: str | None = ...,
        partition_key: int | str | None = ...,
        causal: str | None = ...,
    ) -> AckedMethod[P, R_co]: ...
    @overload
    def options(
        self,
        *,
        timeout: float | None = ...,
        channel: str | None = ...,
        partition_key: int | str | None = ...,
        causal: str | None = ...,
    ) -> ActorMethod[P, R_co]: ...
    @overload
    def options(
        self,
        *,
        concurrency_group: str = ...,
        max_task_retries: int = ...,
        retry_exceptions: bool | Sequence[type[BaseException]] = ...,
        timeout: float | None = ...,
        channel: str | None = ...,
        partition_key: int | str | None = ...,
        causal: str | None = ...,
    ) -> ConfiguredMethod[P, ObjectRef[R_co]]: ...
    @overload
    def options(
        self,
        *,
        num_returns: int | Literal["streaming", "dynamic"] = ...,
        generator_backpressure: int = ...,
        concurrency_group: str = ...,
        max_task_retries: int = ...,
        retry_exceptions: bool | Sequence[type[BaseException]] = ...,
        timeout: float | None = ...,
        channel: str | None = ...,
        partition_key: int | str | None = ...,
        causal: str | None = ...,
    ) -> ConfiguredMethod[P, Any]: ...


class DefinedMethod(Protocol[P, R_co, L_co]):
    """A method under `@method`, in its class."""

    @overload
    def __get__(self, instance: None, owner: Any, /) -> Callable[Concatenate[Any, P], L_co]: ...
    @overload
    def __get__(self, instance: object, owner: Any, /) -> LocalMethod[P, R_co, L_co]: ...


class DefinedStream(Protocol[P, T_co]):
    """A generator method under `@method`, in its class."""

    @overload
    def __get__(self, instance: None, owner: Any, /) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, instance: object, owner: Any, /) -> StreamMethod[P, T_co]: ...


class LocalSpread(Protocol[P, G_co, L_co]):
    """A method with `num_returns`, read from an instance: a call elsewhere gives `G_co`, one here `L_co`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> L_co: ...
    @property
    def remote(self) -> RemoteCall[P, G_co]: ...
    @property
    def tell(self) -> RemoteCall[P, None]: ...
    def options(self, **options: Any) -> ConfiguredMethod[P, Any]: ...


class DefinedSpread(Protocol[P, G_co, L_co]):
    """A method with `num_returns`, in its class."""

    @overload
    def __get__(self, instance: None, owner: Any, /) -> Callable[Concatenate[Any, P], L_co]: ...
    @overload
    def __get__(self, instance: object, owner: Any, /) -> LocalSpread[P, G_co, L_co]: ...


class NothingOf(Protocol):
    """What `method` with ``num_returns=0`` gives."""

    def __call__(self, function: Callable[Concatenate[Any, P], L], /) -> DefinedSpread[P, None, L]: ...


class SpreadOf(Protocol):
    """What `method` with another number as `num_returns` gives: the method has to return so many results."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, Sequence[T]]], /
    ) -> DefinedSpread[P, list[ObjectRef[T]], Coroutine[Any, Any, Sequence[T]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Iterator[T]], /
    ) -> DefinedSpread[P, list[ObjectRef[T]], Iterator[T]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], AsyncIterator[T]], /
    ) -> DefinedSpread[P, list[ObjectRef[T]], AsyncIterator[T]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Sequence[T]], /
    ) -> DefinedSpread[P, list[ObjectRef[T]], Sequence[T]]: ...


class DynamicOf(Protocol):
    """What `method` with ``num_returns="dynamic"`` gives, for generators."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Iterator[T]], /
    ) -> DefinedSpread[P, ObjectRef[list[ObjectRef[T]]], Iterator[T]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], AsyncIterator[T]], /
    ) -> DefinedSpread[P, ObjectRef[list[ObjectRef[T]]], AsyncIterator[T]]: ...


class MethodDecorator(Protocol):
    """What `method` with other options gives."""

    @overload  # first, because it is what the checkers take for a method without annotations
    def __call__(
        self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
    ) -> DefinedMethod[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]  # the fourth is for what is neither generator nor coroutine function
        self, function: Callable[Concatenate[Any, P], Iterator[T]], /
    ) -> DefinedStream[P, T]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]  # as above
        self, function: Callable[Concatenate[Any, P], AsyncIterator[T]], /
    ) -> DefinedStream[P, T]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> DefinedMethod[P, R, R]: ...
    @overload
    def __call__(self, function: F, /) -> F: ...  # a static method, or one of the class


@overload  # first, because it is what the checkers take for a method without annotations
def method(
    function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
) -> DefinedMethod[P, R, Coroutine[Any, Any, R]]: ...
@overload
def method(  # type: ignore[overload-overlap]  # the last is for what is neither a generator nor a coroutine function
    function: Callable[Concatenate[Any, P], Iterator[T]], /
) -> DefinedStream[P, T]: ...
@overload
def method(  # type: ignore[overload-overlap]  # as above
    function: Callable[Concatenate[Any, P], AsyncIterator[T]], /
) -> DefinedStream[P, T]: ...
@overload
def method(function: Callable[Concatenate[Any, P], R], /) -> DefinedMethod[P, R, R]: ...
@overload
def method(  # type: ignore[overload-overlap]  # one is more special than any number
    *,
    num_returns: Literal[1, "streaming"] = ...,
    concurrency_group: str = ...,
    max_task_retries: int = ...,
    retry_exceptions: bool | Sequence[type[BaseException]] = ...,
    generator_backpressure: int = ...,
) -> MethodDecorator: ...
@overload
def method(  # type: ignore[overload-overlap]  # and so is none
    *,
    num_returns: Literal[0],
    concurrency_group: str = ...,
    max_task_retries: int = ...,
    retry_exceptions: bool | Sequence[type[BaseException]] = ...,
    generator_backpressure: int = ...,
) -> NothingOf: ...
@overload
def method(
    *,
    num_returns: Literal["dynamic"],
    concurrency_group: str = ...,
    max_task_retries: int = ...,
    retry_exceptions: bool | Sequence[type[BaseException]] = ...,
    generator_backpressure: int = ...,
) -> DynamicOf: ...
@overload
def method(
    *,
    num_returns: int,
    concurrency_group: str = ...,
    max_task_retries: int = ...,
    retry_exceptions: bool | Sequence[type[BaseException]] = ...,
    generator_backpressure: int = ...,
) -> SpreadOf: ...
def method(function: Any = None, /, **options: Any) -> Any:
    """Say of a method how it is called; the function itself is returned. As ``@method`` it is for type checkers only.

    `num_returns` is how many refs a call gives: 0 gives None, n a list of n, for a tuple or a list of n results. For
    generators it is "streaming" (their default: an `ObjectRefGenerator`) or "dynamic" (one ref to the list of refs).
    `concurrency_group` names one of the actor's groups. `max_task_retries` further attempts (-1: without limit) are
    made when a call is lost with its actor's node, and, with `retry_exceptions` True or a list of classes, also when it
    raises (one of) them. A generator is never more than `generator_backpressure` items ahead of whoever takes them.
    All of them can be set for one call, too: ``handle.name.options(...)``. A special method (``__len__``) that has such
    options can be called from afar. Raises ConfigError.
    """
    if function is not None:
        return function
    made = method_options(options)

    def mark(decorated: Any) -> Any:
        plain = decorated.__func__ if isinstance(decorated, (staticmethod, classmethod)) else decorated
        setattr(plain, MARK, made)
        return decorated

    return mark


@overload
def typed(handle: ActorHandle[Creatable[Callable[..., T]]], /) -> T: ...
@overload
def typed(handle: ActorHandle[T], /) -> T: ...
def typed(handle: ActorHandle[Any], /) -> Any:
    """The same handle, seen by the checkers as an object of the actor's class: methods under `@method` are known."""
    return handle
