"""`partisan stop`: end the nodes that `partisan start` runs, and wait until their processes are gone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from partisan_actors.api.control import CONTROL
from partisan_actors.api.inspection import LIVE
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.cli.asking import Target, ask, check_node, json_option, show_json, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.progress import Steps, steps
from partisan_actors.cli.table import counted
from partisan_actors.cli.tame import tame
from partisan_actors.errors import PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.config import host_name

__all__ = ["stop"]

GONE_TIMEOUT_S: Final = 15.0
LOOK_AGAIN_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the nodes that were asked, by name; for those that still run, why."""

    cluster: str
    stopped: list[str]
    left_running: dict[str, str]
    failed: dict[str, str]

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "cluster": self.cluster,
            "stopped": self.stopped,
            "left_running": [{"name": name, "why": why} for name, why in self.left_running.items()],
            "failed": [{"name": name, "why": why} for name, why in self.failed.items()],
        }


@click.command()
@click.option("--node", "node_name", metavar="NAME", help="This node only, with the processes it started.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask, which only happens at a terminal anyway.")
@json_option
@target_options
def stop(target: Target, node_name: str | None, yes: bool, as_json: bool) -> None:
    """Stop the whole cluster, or one node of it.

    Each node that `partisan start` runs, on any host, leaves the cluster and ends, with its actors; the command waits
    until it has. Programs that have joined go on: their nodes end with them.
    """
    if sys.stdin.isatty() and sys.stdout.isatty() and not yes and not as_json:
        what = f"node {node_name}" if node_name else "the whole cluster"
        if not click.confirm(f"Stop {what}, and every actor on it?"):
            raise Failure("nothing was stopped", ExitCode.OTHER)
    with steps("nodes that have ended", quiet=as_json) as progress:
        outcome = ask(target, lambda observer: _stop(observer, node_name, progress))
    if as_json:
        show_json(outcome.facts())
    else:
        _tell(outcome)
    if outcome.failed:
        names = ", ".join(outcome.failed)
        raise Failure(f"not stopped: {names}", ExitCode.OTHER)


async def _stop(observer: Observer, node_name: str | None, progress: Steps) -> Outcome:
    live = [row for row in await observer.members() if row["state"] in LIVE]
    check_node(live, node_name, state="up")
    # Processes of isolated work end with the nodes that have them.
    chosen = [row for row in live if (not row["hosted_by"] if node_name is None else row["name"] == node_name)]
    # A node takes its worker processes with it, so workers may be gone before they are asked: look at both outcomes.
    answers = await observer.ask_all(chosen, CONTROL, "stop")
    left_running = {answer.name: _refusal(answer) for answer in answers if answer.value and not answer.value["stops"]}
    asked = [answer for answer in answers if answer.name not in left_running]
    still_there = await _wait_gone(observer, [answer.row for answer in asked], progress)
    failed = {
        answer.name: answer.why or f"still running after {GONE_TIMEOUT_S:g} s"
        for answer in asked
        if answer.name in still_there
    }
    stopped = [answer.name for answer in asked if answer.name not in failed]
    return Outcome(observer.cluster, stopped, left_running, failed)


def _refusal(answer: Answer) -> str:
    if answer.row["hosted_by"]:
        return f"it is a process of node {answer.row['hosted_by']}, and ends with what it runs, or with that node"
    return f"it belongs to a program (process {answer.value['pid']} on {answer.value['host']}) and ends with it"


async def _wait_gone(observer: Observer, rows: Sequence[dict[str, Any]], progress: Steps) -> set[str]:
    """Wait until these nodes' processes have ended, but not for ever. Returns the names of those that still run."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GONE_TIMEOUT_S
    waiting = list(rows)
    while True:
        waiting = [row for row in waiting if not await _is_gone(observer, row)]
        progress.reach(len(rows) - len(waiting), f"{len(waiting)} to go" if waiting else "")
        if not waiting or loop.time() > deadline:
            return {row["name"] for row in waiting}
        await asyncio.sleep(LOOK_AGAIN_S)


async def _is_gone(observer: Observer, row: dict[str, Any]) -> bool:
    if row["host"] == host_name():
        return _has_ended(row["pid"])
    # The process of another host cannot be seen from here: gone is who no longer answers under its own name.
    if observer.node.router.peer(NodeId.parse(row["id"])).is_connected:
        return False
    for address in row["addresses"]:
        try:
            await observer.node.connect(address, NodeId.parse(row["id"]))
        except PartisanError:  # nobody listens there any more, or somebody else
            continue
        return False
    return True


def _has_ended(pid: int) -> bool:
    import psutil  # only here: no other command looks at processes

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _tell(outcome: Outcome) -> None:
    names = f": {', '.join(outcome.stopped)}" if outcome.stopped else ""
    click.echo(f"cluster {outcome.cluster}: {counted(len(outcome.stopped), 'node')} stopped{names}")
    for name, why in outcome.left_running.items():
        click.echo(tame(f"left running: {name}: {why}"))
    for name, why in outcome.failed.items():
        click.echo(f"not stopped: {name}: {why}", err=True)
