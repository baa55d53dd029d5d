"""Faults that are injected into the nodes of a cluster on purpose: which there are, one more, and the end of all.

Nodes take part that were started with --allow-faults, and nobody else: they decide. From a dashboard that other
machines can reach, nothing is injected unless that was allowed as well.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from partisan_actors.api.control import CONTROL
from partisan_actors.api.inspection import INSPECT, LIVE
from partisan_actors.api.observer import Answer
from partisan_actors.api.steering import STEERING
from partisan_actors.dashboard.action_views import AUDIT
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.fault_forms import FORMS, plan_of, sentence_of
from partisan_actors.dashboard.parameters import Choice, Flag, Integer, Parameter, Text
from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.schemas import FACTS, array, record
from partisan_actors.errors import ConfigError

__all__ = ["FAULT_ENDPOINTS"]

logger = logging.getLogger(__name__)

ROWS_MAX: Final = 1000
_NOBODY: Final = "no node takes part: start nodes with --allow-faults"


async def warnings(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """What every page has to say, whatever it shows."""
    found = await desk.watcher.survey(INSPECT, "status")
    return {**found.facts(), "faulted": sorted(each.name for each in found.answered if each.value["fault_rules"])}


async def faults(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Which faults there are, on which nodes, for how long yet, and how many messages have suffered."""
    found = await desk.watcher.survey(CONTROL, "faults", "list")
    silent = [answer for answer in found.answers if answer.is_silent]
    rows = _operations(found.answered)
    return {
        **found.facts(),
        "answered": len(found.answers) - len(silent),
        "unanswered": [{"name": answer.name, "why": answer.why} for answer in silent],
        "allowed_on": sorted(answer.name for answer in found.answered),
        "may_inject": desk.options.may_inject and given["may_act"],
        "forms": [{"operation": name, **form.plain()} for name, form in FORMS.items()],
        "nodes": [
            {"node": answer.name, "rules": answer.value["rules"], "suffered": answer.value["counts"]}
            for answer in found.answered
        ],
        "left_out": max(0, len(rows) - ROWS_MAX),
        "rows": rows[:ROWS_MAX],
    }


def _operations(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Each operation once, with the nodes that carry it out: each of these does its own part of a plan."""
    rows: dict[str, dict[str, Any]] = {}
    for answer in answers:
        for plan in answer.value["plans"]:
            for operation in plan["operations"]:
                until_s = operation.get("until_s", operation["at_s"])
                if until_s < plan["elapsed_s"]:
                    continue
                row = rows.setdefault(
                    json.dumps(operation, sort_keys=True),
                    {
                        "operation": operation["do"],
                        "text": sentence_of(operation),
                        "begins_s": max(0.0, operation["at_s"] - plan["elapsed_s"]),
                        "left_s": until_s - plan["elapsed_s"],
                        "nodes": [],
                        "fields": operation,
                    },
                )
                row["nodes"].append(answer.name)
    return sorted(rows.values(), key=lambda row: (row["begins_s"], row["left_s"]))


async def inject(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Begin a fault on all nodes that allow it. Raises Problem for one that makes no sense, and when no node does."""
    _check_allowed(desk)
    try:
        plan = plan_of(given["operation"], given)
        plan.check([row["name"] for row in await desk.watcher.members() if row["state"] in LIVE])
    except ConfigError as error:
        raise Problem(400, str(error).removeprefix("operations[0].")) from error
    (operation,) = plan.to_data()["operations"]
    what = sentence_of(operation)
    taking = {answer.name for answer in await desk.watcher.act_on_all(CONTROL, "faults", "list") if answer.why is None}
    if not taking:
        raise Problem(409, _NOBODY)
    logger.warning(AUDIT, given["who"], f"injects a fault: {what}")
    await desk.watcher.act_on_all(STEERING, "note", f"injects a fault ({what}) on", given["who"], names=taking)
    asked = ("add", plan.to_data(), secrets.randbelow(2**31))
    answers = await desk.watcher.act_on_all(CONTROL, "faults", *asked, names=taking)
    took = [answer.name for answer in answers if answer.why is None]
    if not took:
        raise Problem(409, f"no node takes part: {answers[0].why if answers else 'all have gone'}")
    return {"done": True, "text": what, "nodes": took}


async def clear(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """End all that was injected from outside. What crashed or left stays as it is."""
    logger.warning(AUDIT, given["who"], "ends all faults")
    answers = await desk.watcher.act_on_all(CONTROL, "faults", "clear")
    took = [answer for answer in answers if answer.why is None]
    if not took:
        raise Problem(409, _NOBODY)
    names = {answer.name for answer in took}
    await desk.watcher.act_on_all(STEERING, "note", "ends all faults on", given["who"], names=names)
    return {
        "done": True,
        "text": f"ended {sum(answer.value for answer in took)} plans on {len(took)} nodes",
        "nodes": sorted(names),
    }


def _check_allowed(desk: Desk) -> None:
    if not desk.options.may_inject:
        raise Problem(403, "other machines can reach this dashboard, and it was started without --allow-faults")


_DONE: Final = record({"done": "flag: true", "text": "text: what was done", "nodes": "texts: the nodes that take part"})

FAULT_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/warnings",
        "What every page has to say: on which nodes faults are injected.",
        warnings,
        record({**FACTS, "faulted": "texts: nodes on which faults are injected"}),
        "page",
    ),
    Endpoint(
        "/api/v1/faults",
        "Faults that are injected on purpose.",
        faults,
        record(
            {
                **FACTS,
                "allowed_on": "texts: nodes that take part",
                "may_inject": "flag: whether more can be injected from here",
                "forms": "list: the kinds of faults, what each does, and which parameters it has",
                "nodes": array(
                    {
                        "node": "text: one that takes part",
                        "rules": "integer: how many rules it has",
                        "suffered": "object: how many messages suffered what",
                    }
                ),
                "left_out": "integer: how many more faults there are",
                "rows": array(
                    {
                        "operation": "text: its kind",
                        "text": "text: what it does, to whom",
                        "begins_s": "number: in how many seconds it begins; 0 when it has begun",
                        "left_s": "number: for how many seconds it lasts yet",
                        "nodes": "texts: who carries it out",
                        "fields": "object: as in a fault plan",
                    }
                ),
            }
        ),
        "faults",
    ),
    Endpoint(
        "/api/v1/faults",
        "Inject a fault into the nodes that allow it.",
        inject,
        _DONE,
        "actions",
        (
            Parameter("operation", Choice(tuple(FORMS)), "What goes wrong.", is_needed=True),
            Parameter("nodes", Text(1000, 1), "Whom it is about: all, 2 random, 30%, or names between commas.", "all"),
            Parameter("seconds", Integer(1, 3600), "For how long.", 30),
            Parameter("percent", Integer(1, 100), "Of how many messages, for loss, duplicate and reorder.", 5),
            Parameter("delay_ms", Integer(1, 60_000), "By how much, for delay, reorder and slow.", 100),
            Parameter("one_way", Flag(), "For cut and hold: only what these nodes send.", False),
        ),
        is_action=True,
        problems=(400, 409),
    ),
    Endpoint(
        "/api/v1/faults/clear",
        "End all faults.",
        clear,
        _DONE,
        "actions",
        is_action=True,
        problems=(409,),
    ),
)
