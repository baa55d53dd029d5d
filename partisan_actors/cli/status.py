"""`partisan status`: how the cluster is, and how each of its nodes is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click

from partisan_actors.api.inspection import INSPECT, LIVE
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.cli.asking import Survey, Target, ask, json_option, show_json, target_options
from partisan_actors.cli.looks import between, look
from partisan_actors.cli.measured import calls_text
from partisan_actors.cli.members import resources_text
from partisan_actors.cli.table import counted, show_table

__all__ = ["status"]

SUMMED = ("actors", "tasks_running", "tasks_queued", "tasks_finished", "restarts", "dead_letters", "dropped_records")
_CALLS = ("calls_per_s", "errors_per_s", "in_flight", "run_p50_s", "run_p99_s")
# For how long calls are looked at.
LOOK_S = 0.5


@click.command()
@json_option
@target_options
def status(target: Target, as_json: bool) -> None:
    """How the cluster and each of its nodes are.

    Every node that is up is asked itself. Calls, and how long they ran, are those of half a second.
    """
    found, calls = ask(target, _question)
    facts = {**summary(found), "calls": calls}
    if as_json:
        show_json({**found.facts(), **facts, "node_status": [answer.value for answer in found.answered]})
        return
    _show(found, facts)


async def _question(observer: Observer) -> tuple[Survey, dict[str, Any]]:
    members = await observer.members()  # once: where messages are lost, each question may be
    before = await look(observer, members)
    await asyncio.sleep(LOOK_S)
    after = await look(observer, members)
    rows = [row for row in members if not row["hosted_by"]]
    live = [row for row in rows if row["state"] in LIVE]
    found = Survey(observer.cluster, rows, await observer.ask_all(live, INSPECT, "status"))
    told = between(before, after)
    errors = sum(row["errors"] for answer in after.methods.answered for row in answer.value)
    return found, {**{key: told[key] for key in _CALLS}, "errors": errors}


def summary(found: Survey) -> dict[str, Any]:
    """The cluster in numbers: nodes by state, totals of what the nodes that answered count, and their resources."""
    states = Counter(row["state"] for row in found.rows)
    values = [answer.value for answer in found.answered]
    return {
        "nodes": {state: states[state] for state in ("up", "suspect", "down", "left")},
        "overlays": sorted({answer.row["overlay"] for answer in found.answers}),
        "insecure": [value["node"] for value in values if value["insecure"]],
        "faulted": [value["node"] for value in values if value["fault_rules"]],
        "untraced": {
            value["node"]: lost
            for value in values
            if (lost := value["tracing"]["dropped"] + value["tracing"]["export_failed"])
        },
        "totals": {column: sum(value[column] for value in values) for column in SUMMED},
        "resources": {
            "total": _sum(value["total"] for value in values),
            "available": _sum(value["available"] for value in values),
        },
    }


def _sum(amounts: Iterable[dict[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for each in amounts:
        total.update(each)
    return {name: float(amount) for name, amount in sorted(total.items())}


def _show(found: Survey, facts: dict[str, Any]) -> None:
    nodes, totals, resources = facts["nodes"], facts["totals"], facts["resources"]
    down = "".join(f", {nodes[state]} {state}" for state in ("suspect", "down") if nodes[state])
    click.echo(
        f"cluster {found.cluster}: {counted(nodes['up'], 'node')} up{down}, overlay {', '.join(facts['overlays'])}"
    )
    free = resources_text(resources["available"], resources["total"])
    click.echo(
        f"actors {totals['actors']}; tasks running {totals['tasks_running']}, waiting {totals['tasks_queued']}, "
        f"finished {totals['tasks_finished']}; free {free or 'nothing'}"
    )
    lost = f"; {counted(totals['dropped_records'], 'trace record')} dropped" if totals["dropped_records"] else ""
    calls = facts["calls"]
    click.echo(
        f"{calls_text(calls)}, {calls['in_flight']} in flight; "
        f"{counted(calls['errors'], 'error')}, {counted(totals['dead_letters'], 'dead letter')}{lost}"
    )
    if facts["insecure"]:
        click.echo(f"WARNING: whoever can reach it can run code on {', '.join(facts['insecure'])} (--insecure)")
    if facts["faulted"]:
        click.secho(
            f"WARNING: faults are injected on {', '.join(facts['faulted'])} (see partisan faults list)", fg="red"
        )
    if facts["untraced"]:
        lost = ", ".join(f"{amount:,} of {node}" for node, amount in facts["untraced"].items())
        click.echo(f"WARNING: spans were lost, {lost}: is there a collector, and does it keep up? (see the log)")
    click.echo()
    headings = (
        "node",
        "state",
        "address",
        "pid",
        "up",
        "peers",
        "actors",
        "running",
        "finished",
        "dead letters",
        "free",
    )
    show_table(headings, [_line(answer) for answer in found.answers], ("pid", "finished", "peers"))
    found.remark()


def _line(answer: Answer) -> list[Any]:
    if answer.why is not None:
        return [answer.name, "no answer", ", ".join(answer.row["addresses"]), answer.row["pid"], *[""] * 7]
    value = answer.value
    return [
        answer.name,
        "up",
        value["address"],
        value["pid"],
        duration(value["uptime_s"]),
        value["connected_peers"],
        value["actors"],
        value["tasks_running"],
        value["tasks_finished"],
        value["dead_letters"],
        resources_text(value["available"], value["total"]),
    ]


def duration(seconds: float) -> str:
    """A time span as people say it: its two largest units."""
    whole = int(seconds)
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // part}{smaller}"
    return f"{whole}s"
