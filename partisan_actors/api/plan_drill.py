"""A `FaultPlan` on a real node: what it says happens to this node's messages, connections and process.

Each node that is given the plan carries out its own part: it judges what arrives, breaks its connections, stands still
or goes down. What chance selects is the same on all of them that get the plan at the same time with the same seed and
know the same nodes. A cut works when either side has the plan.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ConfigError
from partisan_actors.faults.messages import DROP, Fault, Passing
from partisan_actors.faults.operations import (
    Crash,
    Cut,
    Delay,
    Duplicate,
    Hold,
    Join,
    Leave,
    Loss,
    NetworkSpan,
    Operation,
    Reorder,
    Reset,
    Restart,
    Slow,
    Stall,
)
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.faults.rules import Fate, Rule, judge
from partisan_actors.faults.selectors import Group, Selector, select
from partisan_actors.faults.sides import Sided, groups_of
from partisan_actors.node.interception import Interception

__all__ = ["PlanDrill", "check_plan"]

_NOT_HERE: Final = "what can be done to nodes that run; start nodes with `partisan start`"


def check_plan(plan: FaultPlan, *, may_crash: bool) -> None:
    """Raises ConfigError for operations that this node cannot carry out, with their places."""
    for index, operation in enumerate(plan.operations):
        name = type(operation).__name__.lower()
        if isinstance(operation, (Restart, Join)):
            raise ConfigError(f"operations[{index}].do", name, _NOT_HERE)
        if isinstance(operation, Crash) and not may_crash:
            allowed = "any other here: this process is a program's own, and only `partisan start` nodes are crashed"
            raise ConfigError(f"operations[{index}].do", name, allowed)


class PlanDrill:
    """Schedules every operation of `plan`, counted from the moment this is made, until `stop`."""

    def __init__(self, system: ActorSystem, interception: Interception, plan: FaultPlan, seed: int) -> None:
        self._system = system
        self._loop = system.loop
        self._me = system.me.name
        self._interception = interception
        self._plan = plan
        self._seed = seed
        self._rules: dict[Rule, float] = {}  # with their ends, in the loop's time
        self._streams: dict[Rule, random.Random] = {}
        self._copied_at: dict[Rule, float] = {}
        self._slow: dict[int, float] = {}
        self._ends: list[Callable[[], None]] = [interception.add(self._judge)]
        self._began = now = self._loop.time()
        self._timers = [
            self._loop.call_at(now + operation.at_s, self._begin, index, operation)
            for index, operation in enumerate(plan.operations)
        ]
        self._timers.append(self._loop.call_at(now + plan.end_s, self._over))
        self.is_over = False

    @property
    def elapsed_s(self) -> float:
        """For how long it has run."""
        return self._loop.time() - self._began

    def stop(self) -> None:
        """Nothing more of it happens, and what lasts ends. May be called twice."""
        for timer in self._timers:
            timer.cancel()
        self._rules.clear()
        self._slow.clear()
        for end in self._ends:
            end()
        self.is_over = True

    def _over(self) -> None:
        # Moments and spans that end now have been scheduled before this, and so come first.
        self._loop.call_soon(self.stop)

    def _begin(self, index: int, operation: Operation) -> None:
        match operation:
            case Loss() | Delay() | Duplicate() | Reorder() | Cut() | Hold():
                self._impose(index, operation, *self._groups(index, operation))
            case Reset():
                first, second = self._groups(index, operation)
                self._interception.reset(lambda name: self._crosses(first, second, name))
            case Slow() if self._is_chosen(index, operation.nodes):
                self._slow[index] = operation.input_s
                self._timers.append(self._loop.call_later(operation.until_s - operation.at_s, self._slow.pop, index))
            case Stall() if self._is_chosen(index, operation.nodes):
                time.sleep(operation.until_s - operation.at_s)  # the loop, and so the node, stands still
            case Crash() if self._is_chosen(index, operation.nodes):
                os.kill(os.getpid(), signal.SIGKILL)
            case Leave() if self._is_chosen(index, operation.nodes):
                self._system.background.start(self._system.node.membership.leave(), "leave, as a fault plan says")

    def _impose(self, index: int, operation: NetworkSpan, first: Group, second: Group) -> None:
        rule = Rule(operation, first, second)
        span_s = operation.until_s - operation.at_s
        self._rules[rule] = self._loop.time() + span_s
        self._streams[rule] = random.Random(f"{self._seed}/{index}/{self._me}")
        self._timers.append(self._loop.call_later(span_s, self._rules.pop, rule, None))
        if isinstance(operation, Cut):
            end = self._interception.cut(lambda name: self._crosses(first, second, name))
            self._ends.append(end)
            self._timers.append(self._loop.call_later(span_s, end))

    def _crosses(self, first: Group, second: Group, name: str) -> bool:
        me = self._me
        return (me in first and name in second) or (name in first and me in second)

    # ---- judging ----------------------------------------------------------------------------------------------

    def _judge(self, passing: Passing) -> Fault | None:
        if passing.direction == "out" or passing.sender == passing.receiver:
            return None
        if self._slow:
            time.sleep(max(self._slow.values()))
        verdict = judge(self._rules, passing.sender, passing.receiver, passing.kind, self._streams.__getitem__)
        now = self._loop.time()
        match verdict.fate:
            case Fate.LOST | Fate.CUT_OFF:
                return DROP
            case Fate.HELD:
                ends = [end for rule, end in self._rules.items() if rule.holds(passing.sender, passing.receiver)]
                return Fault("delay", max(0.0, max(ends) - now))
        copies = 0
        for rule in verdict.copiers:
            pause_s = rule.operation.pause_s if isinstance(rule.operation, Duplicate) else 0.0
            if now - self._copied_at.get(rule, float("-inf")) >= pause_s:
                self._copied_at[rule] = now
                copies += 1
        if verdict.delay_s:
            return Fault("delay", verdict.delay_s, copies)
        return Fault("duplicate", 0.0, copies) if copies else None

    # ---- selecting --------------------------------------------------------------------------------------------

    def _live(self) -> list[str]:
        return [record.node.name for record in self._system.node.directory.live()]

    def _is_chosen(self, index: int, selector: Selector) -> bool:
        rng = random.Random(f"{self._seed}/{index}/nodes")
        return self._me in select(selector, self._live(), rng, self._plan.spared)

    def _groups(self, index: int, operation: Sided) -> tuple[Group, Group]:
        return groups_of(operation, self._live(), lambda field: random.Random(f"{self._seed}/{index}/{field}"))
