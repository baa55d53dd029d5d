"""`partisan actors`: which actors there are, where, in which state, and why those ended that have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import click

from partisan_actors.api.actor_rows import STATES
from partisan_actors.api.inspection import INSPECT, LIVE
from partisan_actors.api.observer import Observer
from partisan_actors.cli.actor_actions import kill, restart, stop
from partisan_actors.cli.actor_detail import show
from partisan_actors.cli.actor_rows import rows_of
from partisan_actors.cli.asking import Survey, Target, ask, check_node, json_option, show_json, target_options
from partisan_actors.cli.measured import bytes_text, ordered, seconds_text
from partisan_actors.cli.subcommands import is_alone
from partisan_actors.cli.table import counted, show_table

__all__ = ["actors"]

_COLUMNS: Final = (
    *("class", "name", "node", "state", "mailbox", "processed"),
    *("calls/s", "wait p95", "run p95", "restarts", "id"),
)
_NAMES: Final = ("class", "node", "id")
_SORTS: Final = {
    **{name: name for name in ("mailbox", "processed", "restarts")},
    "calls": "calls_per_s",
    "latency": "latency_p95_s",
    "wait": "wait_p95_s",
    "run": "run_p95_s",
    "memory": "memory_bytes",
    **{name: name for name in _NAMES},
}
# For how long calls are looked at.
LOOK_S: Final = 0.5


def list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which actors are listed, and how: `partisan actors` and `partisan actors ls` have them."""
    for option in (
        target_options,
        json_option,
        click.option("--sort", type=click.Choice(list(_SORTS)), default="class", show_default=True, help="Most first."),
        click.option(
            "--all", "with_ended", is_flag=True, help="Also those that have ended, and why: the last of each node."
        ),
        click.option("--state", type=click.Choice(STATES), help="Those in this state only."),
        click.option("--name", "actor_name", metavar="NAME", help="Those of this name only."),
        click.option("--class", "class_name", metavar="NAME", help="Those of this class only."),
        click.option("--node", "node_name", metavar="NAME", help="Those of this node only."),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@list_options
@click.pass_context
def actors(context: click.Context, /, **given: Any) -> None:
    """Which actors there are, where, in which state, and how busy they are.

    `mailbox` is how many messages wait, `processed` how many calls have ended, and `calls/s` how many do, within half a
    second. 95 % of its calls waited in the mailbox no longer than `wait p95`, and ran no longer than `run p95`;
    `--sort latency` goes by both together. Of a busy method each n-th call is timed, and those that run have not ended
    yet. `memory` is that of the process of an isolated actor; others share theirs. `restarts` is how often the actor
    was made again. `state` is pending (it waits for a place), starting, alive, restarting, stopping or stopped.

    `partisan actors ls` is the same, and `partisan actors show ID` tells all that is known of one of them.
    """
    if is_alone(context):
        _list(**given)


@actors.command("ls")
@list_options
def list_actors(**given: Any) -> None:
    """The same as `partisan actors` alone."""
    _list(**given)


for _each in (show, kill, stop, restart):
    actors.add_command(_each)


def _list(
    target: Target,
    node_name: str | None,
    class_name: str | None,
    actor_name: str | None,
    state: str | None,
    with_ended: bool,
    sort: str,
    as_json: bool,
) -> None:
    found, earlier = ask(target, _question)
    check_node(found.rows, node_name)
    columns = (("node", node_name), ("class", class_name), ("name", actor_name), ("state", state))
    rows = rows_of(found, {column: value for column, value in columns if value is not None})
    _add_rates(rows, earlier)
    rows = ordered(rows, _SORTS[sort], names=_NAMES)
    if not with_ended and state is None:
        rows = [row for row in rows if row["state"] != "stopped"]
    if as_json:
        show_json({**found.facts(), "actors": rows})
        return
    hosts = {row["node"] for row in rows}
    click.echo(f"cluster {found.cluster}: {counted(len(rows), 'actor')} on {counted(len(hosts), 'node')}")
    _show(rows)
    found.remark()


async def _question(observer: Observer) -> tuple[Survey, Survey]:
    """The actors now, and half a second ago."""
    rows = await observer.members()
    live = [row for row in rows if row["state"] in LIVE]
    earlier = Survey(observer.cluster, rows, await observer.ask_all(live, INSPECT, "all_actors"))
    await asyncio.sleep(LOOK_S)
    return Survey(observer.cluster, rows, await observer.ask_all(live, INSPECT, "all_actors")), earlier


def _add_rates(rows: list[dict[str, Any]], earlier: Survey) -> None:
    """`calls_per_s`: None where nobody can tell."""
    before = {(row["id"], row["restarts"]): row["processed"] for row in rows_of(earlier, {})}
    for row in rows:
        was = before.get((row["id"], row["restarts"]))
        row["calls_per_s"] = None if was is None else max(0, row["processed"] - was) / LOOK_S


def _show(rows: list[dict[str, Any]]) -> None:
    """The table; memory and reason where there is any."""
    texts = {"memory": [_memory_text(row) for row in rows], "reason": [row["reason"] for row in rows]}
    more = {name: column for name, column in texts.items() if any(column)}
    lines = zip((_line(row) for row in rows), *more.values(), strict=True)
    show_table([*_COLUMNS, *more], [[*line, *rest] for line, *rest in lines], ("memory", "wait p95", "processed"))


def _line(row: dict[str, Any]) -> list[Any]:
    rate = row["calls_per_s"]
    return [
        *(row[column] for column in ("class", "name", "node", "state", "mailbox", "processed")),
        "" if rate is None else round(rate, 1),
        seconds_text(row["wait_p95_s"]),
        seconds_text(row["run_p95_s"]),
        *(row[column] for column in ("restarts", "id")),
    ]


def _memory_text(row: dict[str, Any]) -> str:
    return "" if row["memory_bytes"] is None else bytes_text(row["memory_bytes"])
