"""`partisan nodes`: what each node's process uses, how late its loop is, and which life and version it is."""

from __future__ import annotations

from typing import Any, Final

import click

from partisan_actors.api.inspection import INSPECT, LIVE
from partisan_actors.api.metering import METRICS_SERVICE
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.cli.asking import Survey, Target, ask, check_node, json_option, show_json, target_options
from partisan_actors.cli.measured import bytes_text, ordered, seconds_text
from partisan_actors.cli.status import duration
from partisan_actors.cli.table import counted, show_table
from partisan_actors.ids import NodeId
from partisan_actors.telemetry.histogram import quantile

__all__ = ["node_row", "nodes"]

_SORTS: Final = {
    "name": "name",
    "cpu": "cpu_s",
    "memory": "rss_bytes",
    "fds": "fds",
    "threads": "threads",
    "lag": "loop_lag_p99_s",
    "actors": "actors",
    "up": "uptime_s",
}
_NO_PROCESS: Final = ("cpu_s", "rss_bytes", "fds", "threads", "loop_lag_p99_s", "uptime_s", "version", "python")


@click.command()
@click.argument("name", required=False)
@click.option("--sort", type=click.Choice(list(_SORTS)), default="name", show_default=True, help="The most first.")
@json_option
@target_options
def nodes(target: Target, name: str | None, sort: str, as_json: bool) -> None:
    """What the process of each node uses, and how it is.

    With NAME, of that node alone.

    `cpu` is the processor time since it was started, `lag` how late its loop was for 99 % of its own timers, `views`
    how many nodes are in its views of the overlay. A node that is not up has a row without figures.
    """
    found, views = ask(target, _question)
    present = [row for row in found.rows if row["state"] != "left"]
    check_node(present, name)
    rows = [node_row(row, found, views) for row in present if name in (None, row["name"])]
    rows = ordered(rows, _SORTS[sort], names=("name",))
    if as_json:
        show_json({**found.facts(), "nodes": rows})
        return
    click.echo(f"cluster {found.cluster}: {counted(sum(row['state'] == 'up' for row in rows), 'node')} up")
    headings = ("node", "state", "up", "cpu", "memory", "fds", "threads", "lag", "actors", "views", "version", "python")
    show_table((*headings, "incarnation"), [_line(row) for row in rows], ("incarnation", "python", "version"))
    found.remark()


async def _question(observer: Observer) -> tuple[Survey, dict[str, Answer]]:
    rows = await observer.members()
    up = [row for row in rows if row["state"] in LIVE]
    views = {answer.name: answer for answer in await observer.ask_all(up, INSPECT, "overlay")}
    return Survey(observer.cluster, rows, await observer.ask_all(up, METRICS_SERVICE, "process")), views


def node_row(row: dict[str, Any], found: Survey, views: dict[str, Answer]) -> dict[str, Any]:
    """All that is known of one node."""
    told = {"name": row["name"], "state": row["state"], "actors": row["actors"], "addresses": row["addresses"]}
    told |= {"incarnation": NodeId.parse(row["id"]).incarnation, "hosted_by": row["hosted_by"], "views": {}}
    told |= dict.fromkeys(_NO_PROCESS)
    for answer in found.answered:
        if answer.name == row["name"]:
            lag = quantile(answer.value["loop_lag"]["buckets"], 0.99)
            told |= {key: value for key, value in answer.value.items() if key != "loop_lag"}
            told["loop_lag_p99_s"] = lag
    overlay = views.get(row["name"])
    if overlay is not None and overlay.why is None:
        told["views"] = {view: len(known) for view, known in overlay.value["views"].items()}
    return told


def _line(row: dict[str, Any]) -> list[Any]:
    if row["cpu_s"] is None:
        state = row["state"] if row["state"] != "up" else "no answer"
        return [row["name"], state, *[""] * 6, row["actors"], *[""] * 3, f"{row['incarnation']:x}"]
    return [
        row["name"],
        row["state"],
        duration(row["uptime_s"]),
        duration(row["cpu_s"]),
        bytes_text(row["rss_bytes"]),
        row["fds"],
        row["threads"],
        seconds_text(row["loop_lag_p99_s"]),
        row["actors"],
        ", ".join(f"{view} {size}" for view, size in row["views"].items()),
        row["version"],
        row["python"],
        f"{row['incarnation']:x}",
    ]
