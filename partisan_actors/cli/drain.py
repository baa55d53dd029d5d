"""`partisan drain`: empty a node, and end it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Final

import click

from partisan_actors.api.inspection import INSPECT, LIVE
from partisan_actors.api.observer import Observer
from partisan_actors.cli.asking import Target, ask, check_node, json_option, show_json, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.progress import Steps, steps
from partisan_actors.cli.table import counted
from partisan_actors.errors import PartisanError
from partisan_actors.tasks.draining import DRAIN, DRAIN_GRACE_S, Drained

__all__ = ["drain"]

LOOK_S: Final = 0.5


@click.command()
@click.argument("name")
@click.option("--undo", is_flag=True, help="Have it take new work again instead, if it is not too late.")
@click.option("--timeout", default=60.0, show_default=True, metavar="SECONDS", help="What may take that long to end.")
@json_option
@target_options
def drain(target: Target, name: str, undo: bool, timeout: float, as_json: bool) -> None:
    """Empty the node NAME, and end it.

    It takes no new work. Its tasks finish, its restartable actors are restarted elsewhere, the others have SECONDS to
    end by themselves. Then a node that `partisan start` runs ends, with the processes it started, which are drained
    too; the node of a program stays, empty. Exits with 0 when nothing is left.

    With --undo it takes new work again, and exits with 1 when what is left in it is being ended already.
    """
    if not timeout >= 0:
        raise Failure(f"--timeout {timeout:g}: expected seconds from 0", ExitCode.USAGE)

    async def check(observer: Observer) -> None:
        live = [row for row in await observer.members() if row["state"] in LIVE]
        check_node(live, name, state="up")

    async def undoing(observer: Observer) -> bool:
        await check(observer)
        return bool(await observer.ask(observer.contact, DRAIN, "undo_node", name, timeout_s=2 * DRAIN_GRACE_S))

    async def question(observer: Observer) -> Drained:
        await check(observer)
        patience_s = timeout + 2 * DRAIN_GRACE_S
        asked = observer.ask(observer.contact, DRAIN, "drain_node", name, timeout, timeout_s=patience_s)
        with steps(f"draining {name}", quiet=as_json) as progress:
            looking = asyncio.ensure_future(_look_on(observer, name, progress))
            try:
                answer = await asked
            finally:
                looking.cancel()
        return Drained(*answer)

    if undo:
        if not ask(target, undoing):
            raise Failure(f"it is too late: what is left on node {name} is being ended", ExitCode.OTHER)
        if as_json:
            show_json({"node": name, "draining": False})
        else:
            click.echo(f"node {name} takes new work again")
        return
    drained = ask(target, question)
    if as_json:
        show_json(asdict(drained))
    else:
        click.echo(
            f"node {name} is drained: {counted(drained.moved, 'actor')} moved, {drained.ended} ended, "
            f"{counted(drained.left, 'task')} left; {'it ends' if drained.stops else 'its program goes on'}"
        )


async def _look_on(observer: Observer, name: str, progress: Steps) -> None:
    """Show what is left on the node, as it tells itself: until this is cancelled, or nobody tells any more."""
    most = 0
    while True:
        try:
            rows = [row for row in await observer.members() if row["name"] == name]
        except PartisanError:  # whoever knows the members is the node that has ended
            return
        for answer in await observer.ask_all(rows, INSPECT, "status"):
            if answer.why is None:
                actors, tasks = answer.value["actors"], answer.value["tasks_running"] + answer.value["tasks_queued"]
                most = max(most, actors + tasks)
                progress.reach(most - actors - tasks, f"{counted(actors, 'actor')} and {counted(tasks, 'task')} left")
        await asyncio.sleep(LOOK_S)
