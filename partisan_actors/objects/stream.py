"""`ObjectRefGenerator`: the refs of what a generator elsewhere gives, as they come."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, NoReturn, TypeVar

from partisan_actors.actors.consuming import ENDED, Incoming
from partisan_actors.actors.host import Host
from partisan_actors.objects.ref import ObjectRef

__all__ = ["ObjectRefGenerator"]

T_co = TypeVar("T_co", covariant=True)


class ObjectRefGenerator(Iterator[ObjectRef[T_co]], AsyncIterator[ObjectRef[T_co]], Generic[T_co]):
    """The items of a remote generator: iterate with ``for`` or ``async for`` to get their refs, in order, as they come.

    What the generator raises is its last item: a ref that raises it. The generator is never more items ahead than its
    `generator_backpressure` says. When this object is gone, or `pa.cancel` is called with it, the generator is stopped.
    It belongs to the process that called, and to one thread or task at a time; it cannot be sent anywhere.
    """

    __slots__ = ("__weakref__", "_incoming")

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        weakref.finalize(self, incoming.dropped).atexit = False

    def __iter__(self) -> ObjectRefGenerator[T_co]:
        return self

    def __next__(self) -> ObjectRef[T_co]:
        """The next ref; blocks this thread until there is one. Raises RuntimeError on the node's own loop."""
        incoming = self._incoming
        while True:
            changed = incoming.changed()
            ref = incoming.take()
            if ref is ENDED:
                raise StopIteration
            if ref is not None:
                taken: ObjectRef[T_co] = ref
                return taken
            if asyncio._get_running_loop() is incoming.host.loop:
                raise RuntimeError(f"the next item of {incoming} is not here yet, and its loop cannot block: async for")
            changed.wait()

    def __aiter__(self) -> ObjectRefGenerator[T_co]:
        return self

    async def __anext__(self) -> ObjectRef[T_co]:
        incoming = self._incoming
        while True:
            changed = incoming.changed()
            ref = incoming.take()
            if ref is ENDED:
                raise StopAsyncIteration
            if ref is not None:
                taken: ObjectRef[T_co] = ref
                return taken
            await changed

    def completed(self) -> ObjectRef[None]:
        """A ref that is done when the generator has ended: None, or what it raised."""
        outcome: ObjectRef[None] = self._incoming.outcome
        return outcome

    def next_ready(self) -> bool:
        """Whether the next item, or the end, is here, so that the next `next` does not wait."""
        return self._incoming.has_next

    def is_finished(self) -> bool:
        """Whether every item was taken and there will be no more."""
        return self._incoming.is_finished

    # ---- for `wait`, which takes generators beside refs: done means that the next item is here -------------------

    @property
    def store(self) -> Host:
        """What knows the loop that fills it."""
        return self._incoming.host

    def done(self) -> bool:
        """As `next_ready`."""
        return self._incoming.has_next

    def add_waiter(self, waiter: Callable[[], object]) -> None:
        """Call `waiter` once the next item, or the end, is here."""
        changed = self._incoming.changed()
        if self._incoming.has_next:
            waiter()
        else:
            changed.add_waiter(waiter)

    def remove_waiter(self, waiter: Callable[[], object]) -> None:
        """Do not call it any more."""
        self._incoming.changed().remove_waiter(waiter)

    # ---- what a generator of this process could do ------------------------------------------------------------------

    def send(self, value: Any) -> NoReturn:
        """Raises NotImplementedError: nothing can be sent into a remote generator."""
        raise NotImplementedError("nothing can be sent into a remote generator: call another method of its actor")

    def throw(self, value: Any, *more: Any) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError("nothing can be thrown into a remote generator: cancel it with cancel(generator)")

    def close(self) -> None:
        """Stop the generator: nobody wants the rest."""
        self._incoming.dropped()

    def __repr__(self) -> str:
        return f"<{self._incoming}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be sent or pickled: it belongs to the process that called; send the refs it gives"
        )
