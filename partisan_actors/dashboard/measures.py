"""What nodes measure, put together: calls by class and method, channels, processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.paging import page, paging
from partisan_actors.dashboard.parameters import Choice, Parameter, Text
from partisan_actors.dashboard.schemas import table
from partisan_actors.dashboard.watching import Survey
from partisan_actors.telemetry.histogram import BOUNDS_S, merged, quantile

__all__ = ["MEASURE_ENDPOINTS", "METRICS", "calls_of", "method_rows", "process_facts"]

METRICS: Final = "metrics"
KINDS: Final = ("ask", "tell", "task")
_PARTS: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))

_METHOD_COLUMNS: Final = {
    "class": "text: the class of the actor; task for a task",
    "method": "text: the method, or the function of a task",
    "kind": "text: ask, tell or task",
    "nodes": "integer: on how many nodes it was called",
    "calls": "integer: how often it was called",
    "calls_per_s": "number?: how often a second, lately",
    "errors": "integer: how many of these failed",
    "errors_per_s": "number?: how many a second, lately",
    "in_flight": "integer: how many have not ended",
    "wait_p50_s": "number?: half of the calls waited for their turn no longer",
    "wait_p95_s": "number?: 95 % of them did not",
    "wait_p99_s": "number?: 99 % of them did not",
    "run_p50_s": "number?: half of the calls ran no longer",
    "run_p95_s": "number?: 95 % of them did not",
    "run_p99_s": "number?: 99 % of them did not",
    "wait_sum_s": "number: how long all of them waited together",
    "run_sum_s": "number: how long all of them ran together",
}
_CHANNEL_COLUMNS: Final = {
    "node": "text: whose end of the channel this is",
    "channel": "text: its name",
    "peer": "text: the node at the other end",
    "lanes": "integer: open connections",
    "queued_messages": "integer: messages that wait to be written",
    "queued_bytes": "integer: what they take",
    "oldest_wait_s": "number?: for how long the first of them has waited",
    "sent_messages": "integer: messages that were sent",
    "sent_bytes": "integer: and their bytes",
    "sent_bytes_per_s": "number?: bytes a second, lately",
    "sent_messages_per_s": "number?: messages a second, lately",
    "received_messages": "integer: messages that were received",
    "received_bytes": "integer: and their bytes",
    "received_bytes_per_s": "number?: bytes a second, lately",
    "reconnects": "integer: how often a lane went on after its connection broke",
}


# ---- calls -----------------------------------------------------------------------------------------------------------


def method_rows(found: Survey) -> list[dict[str, Any]]:
    """One row for each class, method and kind, of what all nodes have counted."""
    rows: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for answer in found.answered:
        for row in answer.value:
            rows.setdefault((row["class"], row["method"], row["kind"]), []).append(row)
    return [_method_row(key, each) for key, each in rows.items()]


def _method_row(key: tuple[str, str, str], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    wait, run = merged(row["wait"] for row in rows), merged(row["run"] for row in rows)
    return {
        "class": key[0],
        "method": key[1],
        "kind": key[2],
        "nodes": len(rows),
        **{column: sum(row[column] for row in rows) for column in ("calls", "errors", "in_flight")},
        **{f"wait_{name}_s": quantile(wait["buckets"], part) for name, part in _PARTS},
        **{f"run_{name}_s": quantile(run["buckets"], part) for name, part in _PARTS},
        "wait_sum_s": wait["sum"],
        "run_sum_s": run["sum"],
        "wait": wait,
        "run": run,
    }


def calls_of(desk: Desk, found: Survey) -> dict[str, Any]:
    """All calls of the cluster together."""
    rows = method_rows(found)
    now, cluster = desk.now(), found.cluster
    calls, errors = sum(row["calls"] for row in rows), sum(row["errors"] for row in rows)
    run, wait = merged(row["run"] for row in rows), merged(row["wait"] for row in rows)
    return {
        "measured_by": len(found.answered),
        "calls": calls,
        "calls_per_s": desk.rates.of((cluster, "calls"), calls, now),
        "errors": errors,
        "errors_per_s": desk.rates.of((cluster, "errors"), errors, now),
        "in_flight": sum(row["in_flight"] for row in rows),
        **{f"run_{name}_s": quantile(run["buckets"], part) for name, part in _PARTS},
        **{f"wait_{name}_s": quantile(wait["buckets"], part) for name, part in _PARTS},
    }


async def methods(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Calls by class, method and kind, with how long they waited and ran."""
    found = await desk.watcher.survey(METRICS, "methods")
    now, rows = desk.now(), method_rows(found)
    for row in rows:
        key = (found.cluster, row["class"], row["method"], row["kind"])
        row["calls_per_s"] = desk.rates.of((*key, "calls"), row["calls"], now)
        row["errors_per_s"] = desk.rates.of((*key, "errors"), row["errors"], now)
    return {**found.facts(), "bounds_s": list(BOUNDS_S), **page(rows, given, ("class", "kind"))}


# ---- channels --------------------------------------------------------------------------------------------------------


async def channels(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every channel between two nodes, as each of its ends sees it."""
    found = await desk.watcher.survey(METRICS, "channels")
    now = desk.now()
    rows = [_channel_row(desk, answer.name, row, now) for answer in found.answered for row in answer.value]
    return {**found.facts(), **page(rows, given, ("node", "channel", "peer"))}


def _channel_row(desk: Desk, node: str, row: Mapping[str, Any], now: float) -> dict[str, Any]:
    key = (node, row["channel"], row["peer"])
    rated = ("sent_bytes", "sent_messages", "received_bytes")
    rates = {f"{column}_per_s": desk.rates.of((*key, column), row[column], now) for column in rated}
    return {"node": node, **row, **rates}


# ---- processes -------------------------------------------------------------------------------------------------------


def process_facts(desk: Desk, node: str, process: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the row of a node shows of its process; `node` is its id."""
    columns = ("rss_bytes", "fds", "threads", "version", "python", "incarnation")
    if process is None:
        return {"cpu": None, "loop_lag_p99_s": None, **dict.fromkeys(columns)}
    return {
        "cpu": desk.rates.of((node, "cpu"), process["cpu_s"], desk.now()),
        "loop_lag_p99_s": quantile(process["loop_lag"]["buckets"], 0.99),
        **{column: process.get(column) for column in columns},
    }


MEASURE_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/methods",
        "Calls by class, method and kind: how many, how long they waited, and how long they ran.",
        methods,
        table(_METHOD_COLUMNS, bounds_s="list: the upper ends of the buckets of every histogram"),
        "calls",
        (
            *paging(tuple(_METHOD_COLUMNS), "-calls"),
            Parameter("class", Text(200), "Only methods of this class; task for tasks."),
            Parameter("kind", Choice(KINDS), "Only calls of this kind."),
        ),
    ),
    Endpoint(
        "/api/v1/channels",
        "Every channel between two nodes, as each of its ends sees it.",
        channels,
        table(_CHANNEL_COLUMNS),
        "calls",
        (
            *paging(tuple(_CHANNEL_COLUMNS), "-queued_bytes"),
            Parameter("node", Text(200), "Only ends at this node."),
            Parameter("channel", Text(200), "Only channels of this name."),
            Parameter("peer", Text(200), "Only ends whose other end is at this node."),
        ),
    ),
)
