"""`Supervisor`: an actor that starts others in order, makes those again that end, and ends them in reverse.

As in Erlang/OTP, over monitors: `supervision` decides, this file starts, stops and waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.util.supervision import (
    KILL,
    SHUTDOWN,
    STRATEGIES,
    Child,
    Restarts,
    is_restarted,
    with_those_that_end_too,
)

__all__ = ["CHILDREN_MAX", "Supervisor"]

logger = logging.getLogger(__name__)

CHILDREN_MAX: Final = 10_000
# How long all children together have to end when their supervisor does; each has what it says itself.
STOP_S: Final = 3600.0
# How long one that was killed is waited for. Its `on_stop` may take longer, up to its own `stop_timeout`.
KILLED_S: Final = 1.0


class _Running:
    """A child, and its life that runs; None while there is none."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.handle: Any = None
        self.monitor: pa.MonitorRef | None = None


@pa.actor(num_cpus=0, stop_timeout=STOP_S)
class Supervisor:
    """Starts `children` in order when it starts itself, and ends them in reverse when it ends.

    When a child ends, and its `restart` says so, it is made again: alone ("one_for_one"), with all others
    ("one_for_all"), or with those that were started after it ("rest_for_one"), which are ended first, in reverse. More
    than `intensity` of that within `period_s` seconds, and the supervisor ends all children and then itself, as
    "shutdown"; one above it hears of that as of any end. A start that fails counts as another end; the first start of
    all ends the supervisor, which raises what that raised.

    A supervisor can be a child, with ``Child("below", Supervisor, ([...],), shutdown=None)``. Children are wherever
    their options place them; when a node goes down, those on it end. At most CHILDREN_MAX. Raises ConfigError.
    """

    def __init__(
        self,
        children: Sequence[Child] = (),
        strategy: str = STRATEGIES[0],
        intensity: int = 1,
        period_s: float = 5.0,
    ) -> None:
        if strategy not in STRATEGIES:
            raise pa.ConfigError("strategy", strategy, " or ".join(map(repr, STRATEGIES)))
        self._strategy = strategy
        self._restarts = Restarts(intensity, period_s)
        self._children: dict[str, _Running] = {}
        self._first = list(children)
        # One thing at a time: a start or an end is waited for before the next is looked at.
        self._turn = asyncio.Lock()

    async def on_start(self) -> None:
        """Start all children; if one cannot be, end those that were, and fail."""
        try:
            for child in self._first:
                self._add(child)
                await self._start(self._children[child.id])
        except BaseException:
            await self._stop_all()
            raise

    async def on_stop(self) -> None:
        """End all children, the last one first."""
        await self._stop_all()

    # ---- children -----------------------------------------------------------------------------------------------

    async def start_child(self, child: Child) -> Any:
        """Start one more, behind the others. Returns its handle. Raises what its start raises, and then it is not kept.

        Raises ConfigError for an id that there is, and at CHILDREN_MAX.
        """
        async with self._turn:
            self._add(child)
            try:
                return await self._start(self._children[child.id])
            except BaseException:
                del self._children[child.id]
                raise

    async def terminate_child(self, id: str) -> None:
        """End a child, and do not make it again; a temporary one is forgotten. Raises KeyError."""
        async with self._turn:
            running = self._children[id]
            await self._stop(running)
            if running.child.restart == "temporary":
                del self._children[id]

    async def restart_child(self, id: str) -> Any:
        """Start one again that has ended. Returns its handle. Raises KeyError, and ConfigError for one that runs."""
        async with self._turn:
            running = self._children[id]
            self._check_ended(running)
            return await self._start(running)

    async def delete_child(self, id: str) -> None:
        """Forget one that has ended. Raises KeyError, and ConfigError for one that runs."""
        async with self._turn:
            self._check_ended(self._children[id])
            del self._children[id]

    async def child(self, id: str) -> Any:
        """The handle of a child as it runs now, None while it does not. Raises KeyError."""
        return self._children[id].handle

    async def which_children(self) -> list[tuple[str, Any]]:
        """The id and the handle of each, in the order in which they were started; None for one that does not run."""
        return [(id, running.handle) for id, running in self._children.items()]

    async def count_children(self) -> dict[str, int]:
        """How many there are ("specs"), and how many of them run ("active")."""
        active = sum(running.handle is not None for running in self._children.values())
        return {"specs": len(self._children), "active": active}

    # ---- what happens ---------------------------------------------------------------------------------------------

    async def on_down(self, down: pa.Down) -> None:
        """A child has ended, unless it was told to."""
        async with self._turn:
            ended = next((each for each in self._children.values() if each.monitor == down.monitor), None)
            if ended is None:
                return
            ended.handle = ended.monitor = None
            if not is_restarted(ended.child.restart, down.reason):
                if ended.child.restart == "temporary":
                    del self._children[ended.child.id]
                return
            await self._begin_again(ended.child.id, down.reason)

    async def _begin_again(self, id: str, reason: str) -> None:
        loop, again = asyncio.get_running_loop(), [id]
        while again:
            if not self._restarts.allows(loop.time()):
                logger.error("child %r ended (%s), too often: its supervisor ends", id, reason)
                pa.exit_actor(SHUTDOWN)
            ids = with_those_that_end_too(self._strategy, list(self._children), again[0])
            for other in reversed(ids):
                await self._stop(self._children[other])
                if other != id and self._children[other].child.restart == "temporary":
                    del self._children[other]
            again = []
            for other in [each for each in ids if each in self._children]:
                try:
                    await self._start(self._children[other])
                except Exception as error:
                    logger.warning("child %r could not be started again", other, exc_info=True)
                    id, reason, again = other, str(error), [other]
                    break

    # ---- starting and ending --------------------------------------------------------------------------------------

    def _add(self, child: Child) -> None:
        if not isinstance(child, Child):
            raise pa.ConfigError("child", child, "a Child")
        if child.id in self._children:
            raise pa.ConfigError("id", child.id, "one that no other child has")
        if len(self._children) >= CHILDREN_MAX:
            raise pa.ConfigError("children", len(self._children) + 1, f"at most {CHILDREN_MAX}")
        self._children[child.id] = _Running(child)

    async def _start(self, running: _Running) -> Any:
        child = running.child
        handle = child.actor.remote(*child.args, **child.kwargs)
        monitor = pa.monitor(handle)  # before anything else, or the reason of an early end would not be known
        if child.ready is not None:
            try:
                await getattr(handle, child.ready).remote()
            except BaseException:
                pa.demonitor(monitor)
                pa.kill(handle)
                raise
        running.handle, running.monitor = handle, monitor
        return handle

    async def _stop(self, running: _Running) -> None:
        """End a child and wait for that. If the waiting is cancelled, the child is killed: nobody else would do it."""
        if running.handle is None or running.monitor is None:
            return
        try:
            if not await self._ends_by_itself(running):
                pa.kill(running.handle)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(KILLED_S):
                        await running.monitor
        except BaseException:
            pa.kill(running.handle)
            raise
        finally:
            running.handle = running.monitor = None

    async def _ends_by_itself(self, running: _Running) -> bool:
        patience = running.child.shutdown
        if patience == KILL:
            return False
        pa.exit(running.handle, SHUTDOWN)
        try:
            async with asyncio.timeout(patience):  # type: ignore[arg-type]  # seconds or None
                await running.monitor  # type: ignore[misc]  # it runs, so it has one
        except TimeoutError:
            logger.warning("child %r did not end within %s s, and is killed", running.child.id, patience)
            return False
        return True

    async def _stop_all(self) -> None:
        for running in reversed(list(self._children.values())):
            await self._stop(running)

    @staticmethod
    def _check_ended(running: _Running) -> None:
        if running.handle is not None:
            raise pa.ConfigError("id", running.child.id, "a child that does not run: terminate it first")
