"""`partisan events`: what has happened in a cluster, and with -f what does from now on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import click

from partisan_actors.api.event_rows import Merging
from partisan_actors.api.event_service import EVENTS
from partisan_actors.api.observer import Observer
from partisan_actors.cli.asking import Target, ask, json_option, target_options
from partisan_actors.cli.following import Following
from partisan_actors.cli.tame import tame
from partisan_actors.telemetry.event_feed import TAIL_MAX, check_kinds
from partisan_actors.telemetry.event_kinds import ERROR, SEVERITIES, WARNING
from partisan_actors.telemetry.trace_query import duration_ns
from partisan_actors.telemetry.wording import some

__all__ = ["events", "shown"]

COLOURS: Final = {WARNING: "yellow", ERROR: "red"}
NAMES_MAX: Final = 3


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on, until Ctrl-C.")
@click.option(
    "-n", "--limit", default=100, show_default=True, type=click.IntRange(1, TAIL_MAX), help="How many at first."
)
@click.option("--node", "node_name", metavar="NAME", help="What this node tells only.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Those of this kind, such as node.down, or node.")
@click.option("--severity", default=SEVERITIES[0], type=click.Choice(SEVERITIES), help="That severe at least.")
@click.option("--about", metavar="WHAT", help="Those about this node, actor, name or group only.")
@click.option("--grep", "text", metavar="TEXT", help="Those whose sentence contains this, whatever the case.")
@click.option("--since", metavar="TIME", help="Of the last 10m, 2h, ...")
@json_option
@target_options
def events(
    target: Target,
    follow: bool,
    limit: int,
    node_name: str | None,
    kinds: tuple[str, ...],
    severity: str,
    about: str | None,
    text: str | None,
    since: str | None,
    as_json: bool,
) -> None:
    """Show what has happened in the cluster, in the order of time.

    Nodes that join, are suspected, go down and leave; neighbours; actors that fail, end and are made again; crashed
    processes; names, objects and groups that are lost; deadlocks, faults, and what was dropped. Each node keeps the
    last 200 events of each kind. What many nodes have seen is shown once. With --json, each event is an object on a
    line of its own.
    """
    query: dict[str, Any] = {
        "kinds": list(check_kinds(kinds)),
        "severity": severity,
        "about": about or "",
        "text": text or "",
    }
    if since is not None:
        query["since"] = time.time() - duration_ns(since, "--since") / 1e9
    ask(target, lambda observer: _show(observer, query, limit, node_name, follow, as_json))


async def _show(
    observer: Observer, query: Mapping[str, Any], limit: int, node_name: str | None, follow: bool, as_json: bool
) -> None:
    following = Following(observer, EVENTS, "events", TAIL_MAX, node_name)
    merging, is_first = Merging(), True
    async for rows in following.rounds(query, limit, goes_on=follow):
        news = merging.add(rows)
        for row in news[-limit:] if is_first else news:
            click.echo(json.dumps(row) if as_json else shown(row))
        is_first = False


def shown(row: Mapping[str, Any]) -> str:
    """One event as a line, and who has told it."""
    at = datetime.fromtimestamp(row["time"]).isoformat(sep=" ", timespec="milliseconds")
    severity = click.style(f"{row['severity']:7}", fg=COLOURS.get(row["severity"]))
    return f"{at} {severity} {row['kind']:<18} {tame(row['text'])} [{tame(some(row['seen_by'], NAMES_MAX))}]"
