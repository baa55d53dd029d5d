"""`partisan logs`: what was logged on the nodes of a cluster, and with -f what is from now on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import click

from partisan_actors.api.inspection import LIVE
from partisan_actors.api.log_service import LOGS
from partisan_actors.api.observer import Observer
from partisan_actors.cli.asking import Target, ask, json_option, target_options
from partisan_actors.telemetry.recent_logs import LEVELS, TAIL_MAX

__all__ = ["logs", "shown"]

FOLLOW_S: Final = 1.0
COLOURS: Final = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, until Ctrl-C.")
@click.option(
    "-n", "--limit", default=100, show_default=True, type=click.IntRange(1, TAIL_MAX), help="How many at first."
)
@click.option("--node", "node_name", metavar="NAME", help="Those of this node only.")
@click.option("--actor", metavar="ID", help="Those of the actor with this id only.")
@click.option("--trace", metavar="ID", help="Those made in this trace only.")
@click.option("--level", default="DEBUG", type=click.Choice(LEVELS, case_sensitive=False), help="That severe at least.")
@click.option("--grep", "text", metavar="TEXT", help="Those whose message contains this, whatever the case.")
@json_option
@target_options
def logs(
    target: Target,
    follow: bool,
    limit: int,
    node_name: str | None,
    actor: str | None,
    trace: str | None,
    level: str,
    text: str | None,
    as_json: bool,
) -> None:
    """Show what was logged on the nodes, in the order of time.

    Each node keeps the last 2000 records that `logging` lets through there: by default, those from WARNING up. With
    --json, each record is an object on a line of its own.
    """
    query = {"level": level.upper(), "text": text or "", "actor_id": actor or "", "trace_id": trace or ""}
    ask(target, lambda observer: _show(observer, query, limit, node_name, follow, as_json))


async def _show(
    observer: Observer, query: Mapping[str, Any], limit: int, node_name: str | None, follow: bool, as_json: bool
) -> None:
    nexts: dict[str, int] = {}  # by the id of the node: a new life of it begins anew
    silent: set[str] = set()
    is_first = True
    while True:
        members = [row for row in await observer.members() if row["state"] in LIVE and node_name in (None, row["name"])]
        jobs = [
            observer.ask_row(row, LOGS, "tail", _query(query, limit, nexts.get(row["id"]), is_first)) for row in members
        ]
        answers = await asyncio.gather(*jobs)
        rows: list[dict[str, Any]] = []
        for answer in answers:
            if answer.why is not None:
                if answer.name not in silent:
                    click.echo(f"no answer from {answer.name}: {answer.why}", err=True)
                silent.add(answer.name)
                continue
            silent.discard(answer.name)
            if answer.value["dropped"]:
                click.echo(f"{answer.value['dropped']} records of {answer.name} are forgotten", err=True)
            nexts[answer.row["id"]] = answer.value["next"]
            rows += answer.value["rows"]
        rows.sort(key=lambda row: row["time"])
        for row in rows[-limit:] if is_first else rows:
            click.echo(json.dumps(row) if as_json else shown(row))
        if not follow:
            return
        is_first = False
        await asyncio.sleep(FOLLOW_S)


def _query(query: Mapping[str, Any], limit: int, after: int | None, is_first: bool) -> dict[str, Any]:
    if is_first:
        return {**query, "limit": limit}
    return {**query, "limit": TAIL_MAX, "after": after or 0}  # of who has come since, all


def shown(row: Mapping[str, Any]) -> str:
    """One record as a line, and its traceback below it."""
    time = datetime.fromtimestamp(row["time"]).isoformat(sep=" ", timespec="milliseconds")
    who = f"{row['actor_class']} {row['actor_id']}" if row["actor_id"] else row["logger"]
    level = click.style(f"{row['level']:8}", fg=COLOURS.get(row["level"]))
    return f"{time} {level} {row['node']} {who}: {row['message']}"
