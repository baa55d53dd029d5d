"""The faults that are injected into one node: rules of its own process, and plans that commands bring."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.keys import KEY_BYTES, described_key, is_service
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.plan_drill import PlanDrill, check_plan
from partisan_actors.errors import ConfigError
from partisan_actors.faults.messages import MessageRule
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.node.interception import Interception

__all__ = ["Drills", "drills_of"]

SERVICE: Final = "faults"
PLANS_MAX: Final = 100
# Actors whose description is kept; beyond that all of them are looked up anew.
DESCRIBED_MAX: Final = 10_000


def drills_of(system: ActorSystem) -> Drills:
    """The drills of a node, made when they are first needed."""
    drills: Drills | None = system.extensions.get(SERVICE)
    return Drills(system) if drills is None else drills


class Drills:
    """The rules and plans of one node."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self.interception = Interception(system.node, self._describe, is_service)
        self.interception.on_rules = self._rules_changed
        self._described: dict[bytes, str] = {}
        self._plans: dict[int, tuple[FaultPlan, PlanDrill]] = {}
        self._next = itertools.count(1).__next__
        system.extensions[SERVICE] = self
        system.on_close.append(self._close)

    def begin(self, rule: MessageRule | FaultPlan, seed: int) -> Callable[[], None]:
        """From now on. Returns what ends it."""
        if isinstance(rule, FaultPlan):
            return PlanDrill(self._system, self.interception, rule, seed).stop
        return self.interception.add(rule)

    def _rules_changed(self, what: str) -> None:
        node, rules = self._system.node, len(self.interception)
        if what:
            node.feed.tell("faults.injected", node.me.name, what=what, rules=rules)
        else:
            node.feed.tell("faults.ended", node.me.name, rules=rules)

    # ---- what commands ask ------------------------------------------------------------------------------------

    def add(self, plan: dict[str, Any], seed: int) -> dict[str, Any]:
        """Begin a plan. Raises ConfigError when it cannot be carried out."""
        made = FaultPlan.from_data(plan)
        check_plan(made, may_crash=True)
        self._forget_what_is_over()
        if len(self._plans) >= PLANS_MAX:
            raise ConfigError("fault plans of this node", len(self._plans), f"at most {PLANS_MAX}")
        number = self._next()
        self._plans[number] = (made, PlanDrill(self._system, self.interception, made, seed))
        return {"plan": number, "operations": len(made.operations), "end_s": made.end_s}

    def facts(self) -> dict[str, Any]:
        """The plans in force, and what became of messages so far."""
        self._forget_what_is_over()
        plans = [
            {"plan": number, "elapsed_s": drill.elapsed_s, **plan.to_data()}
            for number, (plan, drill) in self._plans.items()
        ]
        return {"plans": plans, "counts": dict(self.interception.counts), "rules": len(self.interception)}

    def clear(self) -> int:
        """End every plan that came from outside; how many there were."""
        self._forget_what_is_over()
        count = len(self._plans)
        self._close()
        return count

    def _forget_what_is_over(self) -> None:
        self._plans = {number: each for number, each in self._plans.items() if not each[1].is_over}

    def _close(self) -> None:
        for _, drill in self._plans.values():
            drill.stop()
        self._plans.clear()

    def _describe(self, key: bytes) -> str:
        """An actor by the key that messages carry: as this node knows it, or the key."""
        known = self._described.get(key)
        if known is None:
            known = self._look_up(key)
            if len(self._described) >= DESCRIBED_MAX:
                self._described.clear()
            if known != key.hex():  # that one may be known later
                self._described[key] = known
        return known

    def _look_up(self, key: bytes) -> str:
        found = self._system.cells.get(key)
        if isinstance(found, Cell):
            return str(found)
        if is_service(key):
            return key.decode("utf-8", "replace")
        if len(key) != KEY_BYTES:
            return f"actor {described_key(key)}"
        return next((str(each) for each in self._system.locations() if each.key == key), key.hex())
