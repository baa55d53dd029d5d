"""`partisan actors kill | stop | restart`: end an actor from outside, or have it made again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from partisan_actors.api.observer import Observer
from partisan_actors.api.steering import STEERING
from partisan_actors.cli.actor_rows import find_actor
from partisan_actors.cli.asker import asker
from partisan_actors.cli.asking import Target, ask, json_option, show_json, target_options
from partisan_actors.cli.confirming import confirm, is_somebody_there, yes_option
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.tame import tame

__all__ = ["kill", "restart", "stop"]


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        target_options,
        json_option,
        yes_option,
        click.argument("which", metavar="ID"),
    ):
        command = option(command)
    return command


@click.command()
@_options
def kill(target: Target, which: str, yes: bool, as_json: bool) -> None:
    """End the actor ID now, for good.

    ID may be its name, or how its id ends. What it runs, and what waits in its mailbox, fails with ActorStopped. Its
    node logs who has asked for it, and tells of it in the feed of events.
    """
    _act(target, which, "kill", "was killed", ask_first=not (yes or as_json), as_json=as_json)


@click.command()
@_options
def stop(target: Target, which: str, yes: bool, as_json: bool) -> None:
    """End the actor ID, for good, when it has done what waits in its mailbox.

    ID may be its name, or how its id ends. Returns at once. Its node logs who has asked for it.
    """
    _act(target, which, "stop", "ends after what waits for it", ask_first=not (yes or as_json), as_json=as_json)


@click.command()
@_options
def restart(target: Target, which: str, yes: bool, as_json: bool) -> None:
    """End the actor ID now, and have it made again.

    ID may be its name, or how its id ends. Only for an actor that may be restarted once more: see `max_restarts`. Its
    node logs who has asked for it.
    """
    _act(target, which, "restart", "is made again", ask_first=not (yes or as_json), as_json=as_json)


def _act(target: Target, which: str, method: str, done: str, *, ask_first: bool, as_json: bool) -> None:
    who = asker()

    async def look(observer: Observer, meant: str) -> tuple[dict[str, Any], dict[str, Any]]:
        found, row = await find_actor(observer, meant)
        what = f"{row['class']} {row['id']}"
        if row["state"] in ("stopped", "stopping"):
            raise Failure(f"{what} is {row['state']} already", ExitCode.OTHER)
        host = next((member for member in found.rows if member["name"] == row["node"]), None)
        if host is None:
            raise Failure(f"{what} is {row['state']}, and no node has it now", ExitCode.OTHER)
        return row, host

    async def act(observer: Observer) -> dict[str, Any]:
        row, host = await look(observer, which)
        answer = await observer.ask_row(host, STEERING, method, row["id"], who)
        if answer.why is not None:
            raise Failure(f"node {row['node']}: {answer.why}", ExitCode.OTHER)
        return {"cluster": observer.cluster, "actor": row["id"], "class": row["class"], "node": row["node"]}

    if ask_first and is_somebody_there():
        row, _ = ask(target, lambda observer: look(observer, which))
        confirm(f"{method.capitalize()} {row['class']} {row['id']} on node {row['node']}?")
        which = row["id"]
    facts = ask(target, act)
    if as_json:
        show_json({**facts, "did": method})
    else:
        click.echo(tame(f"{facts['class']} {facts['actor']} on node {facts['node']} {done}"))
