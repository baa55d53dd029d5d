"""`method` and `typed`: how a checker without plugins gets to know the methods behind a handle.

Both return what they are given. A checker then finds `typed(handle).add` on the actor's own class, where `@method`
makes it a LocalMethod: callable, as `self.add(1)` in the class needs it, and with `remote`, `tell` and `options`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, overload

from partisan_actors.api.actor import ActorHandle
from partisan_actors.api.methods import AckedMethod, ActorMethod

if TYPE_CHECKING:
    from partisan_actors.api.actor import Creatable
    from partisan_actors.api.calls import RemoteCall
    from partisan_actors.objects.ref import ObjectRef

__all__ = ["method", "typed"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
L_co = TypeVar("L_co", covariant=True)
T = TypeVar("T")


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


class DefinedMethod(Protocol[P, R_co, L_co]):
    """A method under `@method`, in its class."""

    @overload
    def __get__(self, instance: None, owner: Any, /) -> Callable[Concatenate[Any, P], L_co]: ...
    @overload
    def __get__(self, instance: object, owner: Any, /) -> LocalMethod[P, R_co, L_co]: ...


@overload
def method(
    function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
) -> DefinedMethod[P, R, Coroutine[Any, Any, R]]: ...
@overload
def method(function: Callable[Concatenate[Any, P], R], /) -> DefinedMethod[P, R, R]: ...
def method(function: Any, /) -> Any:
    """Let every checker know a method behind `typed`. The function is returned as it is."""
    return function


@overload
def typed(handle: ActorHandle[Creatable[Callable[..., T]]], /) -> T: ...
@overload
def typed(handle: ActorHandle[T], /) -> T: ...
def typed(handle: ActorHandle[Any], /) -> Any:
    """The same handle, seen by the checkers as an object of the actor's class: methods under `@method` are known."""
    return handle
