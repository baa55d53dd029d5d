"""`partisan actors`: which actors there are, where, in which state, and why those ended that have."""

from __future__ import annotations

from typing import Any

import click

from partisan_actors.api.actor_rows import STATES, merge_rows
from partisan_actors.api.inspection import INSPECT
from partisan_actors.cli.asking import Target, json_option, show_json, survey, target_options
from partisan_actors.cli.table import counted, show_table

__all__ = ["actors"]


@click.command()
@click.option("--node", "node_name", metavar="NAME", help="Those of this node only.")
@click.option("--state", type=click.Choice(STATES), help="Those in this state only.")
@click.option("--all", "with_ended", is_flag=True, help="Also those that have ended, and why: the last of each node.")
@json_option
@target_options
def actors(target: Target, node_name: str | None, state: str | None, with_ended: bool, as_json: bool) -> None:
    """Which actors there are, where, in which state, and how busy they are.

    `mailbox` is how many messages wait, `processed` how many calls have ended, `restarts` how often the actor was made
    again. `state` is pending (it waits for a place), starting, alive, restarting, stopping or stopped.
    """
    found = survey(target, INSPECT, "all_actors")
    wanted = {column: value for column, value in (("node", node_name), ("state", state)) if value is not None}
    rows: list[dict[str, Any]] = merge_rows((row for answer in found.answered for row in answer.value), wanted)
    if not with_ended and state is None:
        rows = [row for row in rows if row["state"] != "stopped"]
    if as_json:
        show_json({**found.facts(), "actors": rows})
        return
    hosts = {row["node"] for row in rows}
    click.echo(f"cluster {found.cluster}: {counted(len(rows), 'actor')} on {counted(len(hosts), 'node')}")
    columns = ["class", "name", "node", "state", "mailbox", "processed", "restarts", "id"]
    if any(row["reason"] for row in rows):
        columns.append("reason")
    show_table(columns, [[row[column] for column in columns] for row in rows])
    found.remark()
