"""`Backlog`: the inputs of a slow or stalled node, which wait for their turn and keep their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from partisan_actors.simulation.clock import Clock

__all__ = ["INPUTS_MAX", "Backlog"]

# A node that is so far behind takes no more messages.
INPUTS_MAX: Final = 100_000

Input: TypeAlias = tuple[Callable[..., None], tuple[Any, ...]]


class Backlog:
    """Of one node. `is_needed` False: the node is as quick as any other, and nothing waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[Input] = deque()
        self._slow: list[tuple[int, int]] = []  # (what an input costs, until when), in nanoseconds
        self._stalled_until_ns = 0
        self._is_open = True

    @property
    def is_needed(self) -> bool:
        """Whether an input that comes now has to wait."""
        return bool(self._waiting) or self._clock.now_ns < self._stalled_until_ns or self._cost_ns() > 0

    def slow_down(self, input_ns: int, until_ns: int) -> None:
        """Every input takes that much longer until then, on top of what else slows the node."""
        self._slow.append((input_ns, until_ns))

    def stall(self, until_ns: int) -> None:
        """Nothing is handled until then."""
        self._stalled_until_ns = max(self._stalled_until_ns, until_ns)

    @property
    def is_full(self) -> bool:
        """Whether INPUTS_MAX wait. Messages that come now are to be lost; other inputs may still be put."""
        return len(self._waiting) >= INPUTS_MAX

    def put(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call `function(*arguments)` in its turn."""
        self._waiting.append((function, arguments))
        if len(self._waiting) == 1:
            self._schedule()

    def close(self) -> None:
        """The node is down: nothing that waits will happen."""
        self._is_open = False
        self._waiting.clear()

    def _cost_ns(self) -> int:
        if self._slow:
            self._slow = [each for each in self._slow if each[1] > self._clock.now_ns]
        return sum(cost_ns for cost_ns, _ in self._slow)

    def _schedule(self) -> None:
        ready_ns = max(self._clock.now_ns + self._cost_ns(), self._stalled_until_ns)
        self._clock.at(ready_ns, self._next)

    def _next(self) -> None:
        if not self._is_open:
            return
        if self._clock.now_ns < self._stalled_until_ns:  # stalled meanwhile
            self._schedule()
            return
        function, arguments = self._waiting[0]
        function(*arguments)  # what that leads to at once must queue up behind it, so it is still the first
        if self._is_open:
            self._waiting.popleft()
            if self._waiting:
                self._schedule()
