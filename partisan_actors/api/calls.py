"""What `.remote(...)` and `.tell(...)` accept: the target's own parameters, or a reference in place of a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from partisan_actors.objects.ref import ObjectRef

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class RemoteCall(Protocol[P, R_co]):
    """A call with the parameters `P`, giving `R_co`; for the type checkers only.

    Python cannot say "P, each X widened to X or ObjectRef[X]". So the last overload is exact, and each of the others
    admits anything once one of the first six positional arguments is a reference. The exact one is last because the
    checkers explain a mistake by the last. The mypy plugin does better.
    """

    @overload
    def __call__(self, r0: ObjectRef[Any], /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def __call__(self, a0: Any, r1: ObjectRef[Any], /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def __call__(self, a0: Any, a1: Any, r2: ObjectRef[Any], /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def __call__(self, a0: Any, a1: Any, a2: Any, r3: ObjectRef[Any], /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def __call__(
        self, a0: Any, a1: Any, a2: Any, a3: Any, r4: ObjectRef[Any], /, *args: Any, **kwargs: Any
    ) -> R_co: ...
    @overload
    def __call__(
        self, a0: Any, a1: Any, a2: Any, a3: Any, a4: Any, r5: ObjectRef[Any], /, *args: Any, **kwargs: Any
    ) -> R_co: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class TakesReferences(Protocol[P, R_co]):
    """A method under `takes_references`, in its class."""

    def __get__(self, instance: object, owner: Any, /) -> RemoteCall[P, R_co]: ...


def takes_references(method: Callable[Concatenate[Any, P], R], /) -> TakesReferences[P, R]:
    """Tell the checkers that a method takes references in place of values. It is returned as it is."""
    return cast("TakesReferences[P, R]", method)
