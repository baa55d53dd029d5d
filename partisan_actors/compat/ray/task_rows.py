"""Tasks and calls of actors as Ray's state API has them: both are tasks there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.compat.ray.identity import to_hex
from partisan_actors.ids import ActorId

__all__ = ["summary_of_tasks", "task_columns"]

_STATES: Final = {
    "waiting": "PENDING_NODE_ASSIGNMENT",
    "sent": "SUBMITTED_TO_WORKER",
    "queued": "SUBMITTED_TO_WORKER",
    "running": "RUNNING",
    "finished": "FINISHED",
    "failed": "FAILED",
}
_CALL_STATES: Final = {"queued": "PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY", "running": "RUNNING"}
# What Ray calls the errors of tasks, by the class of ours; what a function raised has one word for all classes.
_ERRORS: Final = {
    "NodeDown": "NODE_DIED",
    "PlacementGroupRemoved": "TASK_PLACEMENT_GROUP_REMOVED",
    "RuntimeEnvFailed": "RUNTIME_ENV_SETUP_FAILED",
    "TaskCancelled": "TASK_CANCELLED",
    "Unplaceable": "TASK_UNSCHEDULABLE_ERROR",
    "WorkerCrashed": "WORKER_DIED",
}
_OTHER_ERROR: Final = "TASK_EXECUTION_EXCEPTION"


def task_columns(timeout: float) -> list[dict[str, Any]]:
    """The columns of each task, the last that are done among them, and of each call of an actor that is not."""
    nodes = {row["name"]: row for row in pa.nodes(processes=True)}
    tasks = [{**_task(row), **_place(row["node"], nodes)} for row in pa.list_tasks(timeout=timeout)]
    return tasks + [{**_call(row), **_place(row["node"], nodes)} for row in pa.list_calls(timeout=timeout)]


def _task(row: Mapping[str, Any]) -> dict[str, Any]:
    kind, text = row["error"] or (None, None)
    return {
        "task_id": to_hex(row["id"]),
        "name": row["name"],
        "func_or_class_name": row["name"],
        "state": _STATES[row["state"]],
        "type": "NORMAL_TASK",
        "attempt_number": row["attempt"] - 1,
        "actor_id": None,
        "creation_time_ms": _milliseconds(row["submitted"]),
        "end_time_ms": _milliseconds(row["ended"]),
        "error_type": None if kind is None else _ERRORS.get(kind, _OTHER_ERROR),
        "error_message": None if kind is None else f"{kind}: {text}",
    }


def _call(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "task_id": to_hex(row["id"]),
        "name": f"{row['class']}.{row['method']}",
        "func_or_class_name": f"{row['class']}.{row['method']}",
        "state": _CALL_STATES[row["state"]],
        "type": "ACTOR_TASK",
        "attempt_number": 0,
        "actor_id": ActorId.parse(row["actor"]).hex(),
        "creation_time_ms": None,
        "end_time_ms": None,
        "error_type": None,
        "error_message": None,
    }


def _place(name: str, nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    process = nodes.get(name, {"id": name, "hosted_by": "", "pid": None})
    host = nodes.get(process["hosted_by"], process)
    return {
        "node_id": to_hex(host["id"]) if name else None,
        "worker_id": to_hex(process["id"]) if name else None,
        "worker_pid": process["pid"],
    }


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)


def summary_of_tasks(tasks: Iterable[Mapping[str, Any]], timeout: float) -> dict[str, Any]:
    """How many tasks of each function, and calls of each method, are in each state; calls that have ended, too."""
    states: dict[str, Counter[str]] = {}
    types: dict[str, str] = {}
    for row in tasks:
        states.setdefault(row["name"], Counter())[row["state"]] += 1
        types[row["name"]] = row["type"]
    for row in pa.list_methods(timeout=timeout):
        if row["kind"] == "ask" and row["calls"]:
            name = f"{row['class']}.{row['method']}"
            ended = {"FINISHED": row["calls"] - row["errors"], "FAILED": row["errors"]}
            states.setdefault(name, Counter()).update({state: count for state, count in ended.items() if count})
            types[name] = "ACTOR_TASK"
    totals: Counter[str] = Counter()
    for name, counts in states.items():
        totals[types[name]] += sum(counts.values())
    return {
        "cluster": {
            "summary": {
                name: {"func_or_class_name": name, "type": types[name], "state_counts": dict(counts)}
                for name, counts in states.items()
            },
            "total_tasks": totals["NORMAL_TASK"],
            "total_actor_tasks": totals["ACTOR_TASK"],
            "total_actor_scheduled": 0,
            "summary_by": "func_name",
        }
    }
