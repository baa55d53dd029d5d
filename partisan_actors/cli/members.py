"""`partisan members`: which nodes are in the cluster, as one of them knows it."""

from __future__ import annotations

from typing import Any

import click

from partisan_actors.api.observer import Observer
from partisan_actors.cli.asking import Target, ask, json_option, show_json, target_options
from partisan_actors.cli.table import counted, show_table

__all__ = ["members"]


@click.command()
@click.option("--all", "with_left", is_flag=True, help="Nodes that have left, and processes of isolated work, too.")
@json_option
@target_options
def members(target: Target, with_left: bool, as_json: bool) -> None:
    """Which nodes are in the cluster.

    One node is asked, and gossip has told it of the others: what a node says of itself is some seconds old at most.
    """
    cluster, rows = ask(target, _members)
    rows = [row for row in rows if with_left or not row["hosted_by"]]
    shown = [row for row in rows if with_left or row["state"] != "left"]
    if as_json:
        show_json({"cluster": cluster, "members": shown})
        return
    click.echo(f"cluster {cluster}: {counted(sum(row['state'] == 'up' for row in rows), 'node')} up")
    headings = ("node", "state", "address", "role", "host", "pid", "overlay", "neighbours", "actors", "resources")
    show_table(headings, [_line(row) for row in shown], ("overlay", "pid", "host"))


async def _members(observer: Observer) -> tuple[str, list[dict[str, Any]]]:
    rows = await observer.members()
    return observer.cluster, [{key: value for key, value in row.items() if key != "is_me"} for row in rows]


def _line(row: dict[str, Any]) -> list[Any]:
    return [
        row["name"],
        row["state"],
        ", ".join(row["addresses"]),
        f"process of {row['hosted_by']}" if row["hosted_by"] else "hosts actors" if row["hosts_actors"] else "driver",
        row["host"],
        row["pid"],
        row["overlay"],
        len(row["neighbours"]),
        row["actors"],
        resources_text(row["available"], row["resources"]),
    ]


def resources_text(available: dict[str, float], total: dict[str, float]) -> str:
    """How much of each resource is free, memory left out: it is the host's, and every node counts it again."""
    shown = [name for name in sorted(total) if name != "memory"]
    return ", ".join(f"{name} {available.get(name, 0.0):g}/{total[name]:g}" for name in shown)
