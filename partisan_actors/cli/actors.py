"""`partisan actors`: which actors run where."""

from __future__ import annotations

from typing import Any

import click

from partisan_actors.api.inspection import INSPECT
from partisan_actors.cli.asking import Target, json_option, show_json, survey, target_options
from partisan_actors.cli.table import counted, show_table

__all__ = ["actors"]


@click.command()
@click.option("--node", "node_name", metavar="NAME", help="Those of this node only.")
@json_option
@target_options
def actors(target: Target, node_name: str | None, as_json: bool) -> None:
    """Which actors run, where, and how busy they are.

    `mailbox` is how many messages wait, `processed` how many calls have ended, `restarts` how often the actor was made
    again after its node was lost.
    """
    found = survey(target, INSPECT, "actors")
    rows: list[dict[str, Any]] = [
        row for answer in found.answered for row in answer.value if node_name in (None, row["node"])
    ]
    rows.sort(key=lambda row: (row["class"], row["node"], row["id"]))
    if as_json:
        show_json({**found.facts(), "actors": rows})
        return
    hosts = {row["node"] for row in rows}
    click.echo(f"cluster {found.cluster}: {counted(len(rows), 'actor')} on {counted(len(hosts), 'node')}")
    columns = ("class", "name", "node", "state", "mailbox", "processed", "restarts", "id")
    show_table(columns, [[row[column] for column in columns] for row in rows])
    found.remark()
