"""`partisan actors`: which actors there are, where, in which state, and why those ended that have."""

from __future__ import annotations

from typing import Any, Final

import click

from partisan_actors.api.actor_rows import STATES, merge_rows
from partisan_actors.api.inspection import INSPECT
from partisan_actors.cli.asking import Survey, Target, json_option, show_json, survey, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.measured import ordered
from partisan_actors.cli.table import counted, show_table
from partisan_actors.cli.tame import tame

__all__ = ["actors", "rows_of", "the_one"]

_COLUMNS: Final = ("class", "name", "node", "state", "mailbox", "processed", "restarts", "id")
_NAMES: Final = ("class", "node", "id")
_SORTS: Final = ("mailbox", "processed", "restarts", *_NAMES)


@click.group(invoke_without_command=True)
@click.option("--node", "node_name", metavar="NAME", help="Those of this node only.")
@click.option("--state", type=click.Choice(STATES), help="Those in this state only.")
@click.option("--all", "with_ended", is_flag=True, help="Also those that have ended, and why: the last of each node.")
@click.option("--sort", type=click.Choice(_SORTS), default="class", show_default=True, help="The most first.")
@json_option
@target_options
@click.pass_context
def actors(
    context: click.Context,
    target: Target,
    node_name: str | None,
    state: str | None,
    with_ended: bool,
    sort: str,
    as_json: bool,
) -> None:
    """Which actors there are, where, in which state, and how busy they are.

    `mailbox` is how many messages wait, `processed` how many calls have ended, `restarts` how often the actor was made
    again. `state` is pending (it waits for a place), starting, alive, restarting, stopping or stopped.

    `partisan actors show ID` tells all that is known of one of them.
    """
    if context.invoked_subcommand is not None:
        return
    found = survey(target, INSPECT, "all_actors")
    wanted = {column: value for column, value in (("node", node_name), ("state", state)) if value is not None}
    rows = ordered(rows_of(found, wanted), sort, names=_NAMES)
    if not with_ended and state is None:
        rows = [row for row in rows if row["state"] != "stopped"]
    if as_json:
        show_json({**found.facts(), "actors": rows})
        return
    hosts = {row["node"] for row in rows}
    click.echo(f"cluster {found.cluster}: {counted(len(rows), 'actor')} on {counted(len(hosts), 'node')}")
    columns = [*_COLUMNS, "reason"] if any(row["reason"] for row in rows) else [*_COLUMNS]
    show_table(columns, [[row[column] for column in columns] for row in rows])
    found.remark()


@actors.command()
@click.argument("which", metavar="ID")
@json_option
@target_options
def show(target: Target, which: str, as_json: bool) -> None:
    """Tell all that is known of the actor ID, which may be its name, or how its id ends."""
    found = survey(target, INSPECT, "all_actors")
    row = the_one(rows_of(found, {}), which)
    if as_json:
        show_json({**found.facts(), "actor": row})
        return
    for column, value in row.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        click.echo(tame(f"{column.replace('_', ' '):<10} {'' if text is None else text}".rstrip()))
    found.remark()


def rows_of(found: Survey, wanted: dict[str, str]) -> list[dict[str, Any]]:
    """One row for each actor that the answers of `all_actors` tell of, and that has everything `wanted` has."""
    return merge_rows((row for answer in found.answered for row in answer.value), wanted)


def the_one(rows: list[dict[str, Any]], which: str) -> dict[str, Any]:
    """The row that is meant. Raises Failure when none is, or several are."""
    for meant in (
        [row for row in rows if which in (row["id"], row["name"])],
        [row for row in rows if row["id"].endswith(which)],
    ):
        living = [row for row in meant if row["state"] != "stopped"] or meant
        if len(living) == 1:
            return living[0]
        if living:
            listed = ", ".join(row["id"] for row in living[:5])
            raise Failure(f"{len(living)} actors are meant by {which!r}, among them {listed}", ExitCode.USAGE)
    raise Failure(f"no actor {which!r} is known; `partisan actors --all` lists those there are", ExitCode.OTHER)
