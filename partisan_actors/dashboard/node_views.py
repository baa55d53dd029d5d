"""The cluster at a glance, its nodes, and one of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from partisan_actors.api.inspection import INSPECT
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.measures import METRICS, calls_of, process_facts
from partisan_actors.dashboard.paging import page, paging
from partisan_actors.dashboard.parameters import Choice, Flag, Parameter, Text
from partisan_actors.dashboard.schemas import FACTS, array, record, table
from partisan_actors.dashboard.watching import Survey

__all__ = ["NODE", "NODE_ENDPOINTS", "alerts_of"]

SUMMED: Final = ("actors", "tasks_running", "tasks_queued", "tasks_finished", "restarts", "dead_letters")
STATES: Final = ("up", "suspect", "down", "left")
NODE: Final = Parameter("name", Text(200, 1), "The name of a node.", in_path=True)

_NODE_COLUMNS: Final = {
    "name": "text: its name",
    "state": "text: up, suspect, down or left, as its cluster has it",
    "draining": "flag: whether it takes no new work",
    "address": "text: where it is dialled",
    "host": "text: the machine it is on",
    "pid": "integer: its process",
    "hosted_by": "text: the node whose process it is, for one that runs isolated work; else empty",
    "overlay": "text: how it is connected",
    "neighbours": "integer: how many it has in the overlay",
    "actors": "integer: how many actors it runs",
    "uptime_s": "number?: for how many seconds it has been up",
    "tasks_running": "integer?: tasks that run on it",
    "tasks_queued": "integer?: tasks that wait on it",
    "dead_letters": "integer?: messages that reached nobody there",
    "restarts": "integer?: actors that it has made again",
    "cpu": "number?: processors it keeps busy",
    "rss_bytes": "integer?: memory of its process",
    "fds": "integer?: open files and sockets",
    "threads": "integer?: threads of its process",
    "loop_lag_p99_s": "number?: how late its loop comes to timers, at worst in 99 of 100 cases",
    "version": "text?: of partisan_actors",
    "python": "text?: of Python",
    "incarnation": "integer?: which life of it this is",
    "why": "text?: why it did not answer",
}


async def cluster(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The whole in numbers, and what somebody should look at."""
    status, methods = await asyncio.gather(
        desk.watcher.survey(INSPECT, "status"), desk.watcher.survey(METRICS, "methods")
    )
    values = [answer.value for answer in status.answered]
    nodes = [row for row in status.rows if not row["hosted_by"]]
    states = Counter(row["state"] for row in nodes)
    return {
        **status.facts(),
        "time": desk.now(),
        "read_only": desk.options.read_only,
        "nodes": {state: states[state] for state in STATES},
        "draining": [row["name"] for row in nodes if row["draining"] and row["state"] == "up"],
        "processes": sum(1 for row in status.rows if row["hosted_by"] and row["state"] == "up"),
        "overlays": sorted({answer.row["overlay"] for answer in status.answers}),
        "totals": {column: sum(value[column] for value in values) for column in SUMMED},
        "calls": calls_of(desk, methods),
        "resources": {
            "total": _sum(value["total"] for value in values),
            "available": _sum(value["available"] for value in values),
        },
        "alerts": alerts_of(status),
    }


def alerts_of(status: Survey) -> list[dict[str, Any]]:
    """What somebody should look at: how bad it is ("error" or "warning"), of which node, and a sentence."""
    found: list[dict[str, Any]] = []

    def add(severity: str, node: str, text: str) -> None:
        found.append({"severity": severity, "node": node, "text": text})

    for row in status.rows:
        if row["state"] == "down":
            add("error", row["name"], f"node {row['name']} is down")
        elif row["state"] == "suspect":
            by = ", ".join(row["suspected_by"][:3])
            add("warning", row["name"], f"node {row['name']} is suspected{f' by {by}' if by else ''}")
    for answer in status.answers:
        if answer.why is not None:
            add("error", answer.name, f"node {answer.name} did not answer: {answer.why}")
            continue
        value = answer.value
        if value["insecure"]:
            add("warning", answer.name, f"whoever can reach node {answer.name} can run code on it (--insecure)")
        if value["fault_rules"]:
            add("error", answer.name, f"faults are injected on node {answer.name}")
        for trouble in value["troubles"]:
            text = (
                trouble if isinstance(trouble, str) else str(dict(trouble) if isinstance(trouble, Mapping) else trouble)
            )
            add("error", answer.name, f"node {answer.name}: {text[:300]}")
    return sorted(found, key=lambda each: (each["severity"], each["node"]))


async def nodes(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every node that the cluster knows of, up or not."""
    status, process = await asyncio.gather(
        desk.watcher.survey(INSPECT, "status"), desk.watcher.survey(METRICS, "process")
    )
    rows = _node_rows(desk, status, process)
    if not given["processes"]:
        rows = [row for row in rows if not row["hosted_by"]]
    return {**status.facts(), **page(rows, given, ("state",))}


async def node(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """One node: its row, its status, its views, and what it measures of its process."""
    name = given["name"]
    await desk.watcher.row_of(name)
    status, process, overlay = await asyncio.gather(
        desk.watcher.survey(INSPECT, "status"),
        desk.watcher.survey(METRICS, "process"),
        desk.watcher.survey(INSPECT, "overlay"),
    )
    member = next(row for row in status.rows if row["name"] == name)
    (row,) = [each for each in _node_rows(desk, status, process) if each["name"] == name]
    views = _value(overlay, name) or {"neighbours": member["neighbours"], "views": {}}
    return {
        "cluster": status.cluster,
        "row": row,
        "member": member,
        "status": _value(status, name),
        "process": _value(process, name),
        "neighbours": sorted(views["neighbours"]),
        "views": {view: sorted(names) for view, names in views["views"].items()},
    }


def _node_rows(desk: Desk, status: Survey, process: Survey) -> list[dict[str, Any]]:
    statuses = {answer.name: answer for answer in status.answers}
    processes = {answer.name: answer.value for answer in process.answered}
    return [_node_row(desk, row, statuses.get(row["name"]), processes.get(row["name"])) for row in status.rows]


def _node_row(desk: Desk, row: Mapping[str, Any], answer: Any, process: Mapping[str, Any] | None) -> dict[str, Any]:
    value = answer.value if answer is not None and answer.why is None else {}
    columns = ("uptime_s", "tasks_running", "tasks_queued", "dead_letters", "restarts")
    return {
        "name": row["name"],
        "state": row["state"],
        "draining": row["draining"],
        "address": row["addresses"][0] if row["addresses"] else "",
        "host": row["host"],
        "pid": row["pid"],
        "hosted_by": row["hosted_by"],
        "overlay": row["overlay"],
        "neighbours": len(row["neighbours"]),
        "actors": value.get("actors", row["actors"]),
        **{column: value.get(column) for column in columns},
        **process_facts(desk, row["id"], process),
        "why": answer.why if answer is not None else None,
    }


def _value(survey: Survey, name: str) -> Any:
    return next((answer.value for answer in survey.answered if answer.name == name), None)


def _sum(amounts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for each in amounts:
        total.update(each)
    return {name: float(amount) for name, amount in sorted(total.items())}


def _alerts_schema() -> dict[str, Any]:
    return array({"severity": "text: error or warning", "node": "text: of which node", "text": "text: a sentence"})


_SORTABLE: Final[Sequence[str]] = [name for name in _NODE_COLUMNS if name not in ("why", "draining")]

NODE_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/cluster",
        "The cluster at a glance.",
        cluster,
        record(
            {
                **FACTS,
                "time": "number: the time of day there, in seconds since 1970",
                "read_only": "flag: whether this dashboard refuses actions",
                "nodes": "object: how many nodes are up, suspect, down, and have left",
                "draining": "texts: nodes that take no new work",
                "processes": "integer: processes of isolated work",
                "overlays": "texts: how nodes are connected",
                "totals": "object: sums of what the nodes count",
                "calls": "object: calls and how long they take, of the nodes that measure",
                "resources": "object: what there is in all, and what is free",
                "alerts": _alerts_schema(),
            }
        ),
        "cluster",
    ),
    Endpoint(
        "/api/v1/nodes",
        "Every node that the cluster knows of.",
        nodes,
        table(_NODE_COLUMNS),
        "nodes",
        (
            *paging(_SORTABLE, "name"),
            Parameter("state", Choice(STATES), "Only nodes in this state."),
            Parameter("processes", Flag(), "Also processes of isolated work.", False),
        ),
    ),
    Endpoint(
        "/api/v1/nodes/{name}",
        "One node.",
        node,
        record(
            {
                "cluster": "text: the name of the cluster",
                "row": record(_NODE_COLUMNS, needed=False),
                "member": "object: what the cluster knows of it",
                "status": "object?: what it says of itself; null when it does not answer",
                "process": "object?: what it measures of its process; null when it does not",
                "neighbours": "texts: its neighbours in the overlay",
                "views": "object: the views that its overlay keeps, by name",
            }
        ),
        "nodes",
        (NODE,),
        problems=(404,),
    ),
)
