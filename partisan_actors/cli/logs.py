"""`partisan logs`: what was logged on the nodes of a cluster, and with -f what is from now on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import click

from partisan_actors.api.log_service import LOGS
from partisan_actors.api.observer import Observer
from partisan_actors.cli.actor_rows import find_actor
from partisan_actors.cli.asking import Target, ask, json_option, target_options
from partisan_actors.cli.following import Following
from partisan_actors.cli.tame import tame
from partisan_actors.telemetry.plain_span import parse_trace_id
from partisan_actors.telemetry.recent_logs import LEVELS, TAIL_MAX
from partisan_actors.telemetry.trace_query import duration_ns

__all__ = ["logs", "shown"]

COLOURS: Final = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, until Ctrl-C.")
@click.option(
    "-n", "--limit", default=100, show_default=True, type=click.IntRange(1, TAIL_MAX), help="How many at first."
)
@click.option("--node", "node_name", metavar="NAME", help="Those of this node only.")
@click.option("--actor", metavar="ID", help="Those of this actor only: its name, its id, or the end of that.")
@click.option("--class", "class_name", metavar="NAME", help="Those of actors of this class only.")
@click.option("--trace", metavar="ID", help="Those made in this trace only: its id, or how that begins.")
@click.option("--level", default="DEBUG", type=click.Choice(LEVELS, case_sensitive=False), help="That severe at least.")
@click.option("--grep", "text", metavar="TEXT", help="Those whose message contains this, whatever the case.")
@click.option("--since", metavar="TIME", help="Of the last 10m, 2h, ...")
@json_option
@target_options
def logs(
    target: Target,
    follow: bool,
    limit: int,
    node_name: str | None,
    actor: str | None,
    class_name: str | None,
    trace: str | None,
    level: str,
    text: str | None,
    since: str | None,
    as_json: bool,
) -> None:
    """Show what was logged on the nodes, in the order of time.

    Each node keeps the last 2000 records that `logging` lets through there: by default, those from WARNING up. With
    --json, each record is an object on a line of its own.
    """
    query: dict[str, Any] = {"level": level.upper(), "text": text or "", "actor_class": class_name or ""}
    if trace is not None:
        parse_trace_id(trace.strip().lower())
        query["trace_id"] = trace.strip().lower()
    if since is not None:
        query["since"] = time.time() - duration_ns(since, "--since") / 1e9

    async def question(observer: Observer) -> None:
        if actor is not None:  # one that nobody knows any more may have logged all the same: so an id is taken as it is
            is_id = actor.startswith("actor:")
            query["actor_id"] = actor if is_id else (await find_actor(observer, actor))[1]["id"]
        await _show(observer, query, limit, node_name, follow, as_json)

    ask(target, question)


async def _show(
    observer: Observer, query: Mapping[str, Any], limit: int, node_name: str | None, follow: bool, as_json: bool
) -> None:
    following = Following(observer, LOGS, "records", TAIL_MAX, node_name)
    is_first = True
    async for rows in following.rounds(query, limit, goes_on=follow):
        rows.sort(key=lambda row: row["time"])
        for row in rows[-limit:] if is_first else rows:
            click.echo(json.dumps(row) if as_json else shown(row))
        is_first = False


def shown(row: Mapping[str, Any]) -> str:
    """One record as a line, and its traceback below it."""
    at = datetime.fromtimestamp(row["time"]).isoformat(sep=" ", timespec="milliseconds")
    who = f"{row['actor_class']} {row['actor_id']}" if row["actor_id"] else row["logger"]
    level = click.style(f"{row['level']:8}", fg=COLOURS.get(row["level"]))
    return f"{at} {level} " + tame(f"{row['node']} {who}: {row['message']}")
