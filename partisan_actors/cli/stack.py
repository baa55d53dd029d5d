"""`partisan stack`: what a node, or one actor, runs and waits for at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from partisan_actors.actors.keys import described_key
from partisan_actors.actors.ref import actor_key
from partisan_actors.api.dumps import dump_of
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.api.stacks import STACKS
from partisan_actors.cli.actor_rows import find_node_or_actor
from partisan_actors.cli.asking import Target, ask, json_option, show_json, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.table import counted
from partisan_actors.cli.tame import tame
from partisan_actors.errors import NodeError
from partisan_actors.ids import ActorId
from partisan_actors.node.config import host_name
from partisan_actors.node.rundir import RunningNode, running_clusters

__all__ = ["stack"]


@click.command()
@click.argument("which", metavar="NODE|ACTOR")
@click.option("--full", is_flag=True, help="Also what is idle, and the calls of the framework around those of users.")
@json_option
@target_options
def stack(target: Target, which: str, full: bool, as_json: bool) -> None:
    """Show what a node or an actor runs now, and what it waits for.

    For a node, named or by its id: each thread and coroutine that runs an actor's method or a task, with its stack, the
    innermost call last. For an actor, by its name, its id or the end of that: those that it runs, and which methods
    wait. Nothing is stopped for that. Of a node of this host whose loop is stuck, and which therefore does not answer,
    the stacks of its threads are shown as Python's faulthandler writes them.
    """
    try:
        told = ask(target, lambda observer: _question(observer, which))
    except NodeError as error:
        told = _stuck_contact(target, which, error)
    if as_json:
        show_json(told)
        return
    if "dump" in told:
        why = tame(told["why"])
        click.echo(f"node {told['node']} does not answer ({why}); its threads, the innermost call first:\n")
        click.echo(tame(told["dump"].rstrip()))
        return
    click.echo(tame(_headline(told)))
    rows = [*told["threads"], *told["coroutines"]]
    shown = [row for row in rows if full or row["runs"] or any(frame["is_users"] for frame in row["frames"])]
    for row in shown:
        click.echo("")
        for line in _lines(row, full=full):
            click.echo(tame(line))
    hidden = len(rows) - len(shown)
    if hidden:
        click.echo(f"\n{hidden} threads and coroutines of the node's own are left out: see --full")
    if told["left_out"]:
        click.echo(f"\n{told['left_out']} more are left out")


async def _question(observer: Observer, which: str) -> dict[str, Any]:
    host, actor, actors = await find_node_or_actor(observer, which)
    if actor is None:
        answer = await observer.ask_row(host, STACKS, "node")
    else:
        answer = await observer.ask_row(host, STACKS, "actor", actor["id"])
    return named(answer.value, actors) if answer.why is None else _stuck(host, answer)


def named(told: dict[str, Any], actors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The same with the names of actors of other nodes in the place of the keys by which a node knows them."""
    names = {
        f"an actor {described_key(actor_key(ActorId.parse(row['id'])))}": " ".join(
            filter(None, (row["class"], row["name"] and repr(row["name"]), row["id"]))
        )
        for row in actors
    }
    for row in (*told["threads"], *told["coroutines"]):
        for place, text in enumerate(row["waits_for"]):
            key = next((key for key in names if key in text), None)
            row["waits_for"][place] = text if key is None else text.replace(key, names[key])
    return told


def _stuck_contact(target: Target, which: str, error: NodeError) -> dict[str, Any]:
    """Nobody answers at all: the node that is meant may be the only one that could."""
    for node in running_clusters().get(target.cluster, []) if target.cluster else _only_cluster():
        if node.name == which:
            return _stuck(
                {"name": which, "pid": node.pid, "host": node.host}, Answer({}, why=str(error), is_silent=True)
            )
    raise error


def _only_cluster() -> list[RunningNode]:
    clusters = list(running_clusters().values())
    return clusters[0] if len(clusters) == 1 else []


def _stuck(row: dict[str, Any], answer: Answer) -> dict[str, Any]:
    why = str(answer.why)
    if not answer.is_silent:
        raise Failure(f"node {row['name']}: {why}", ExitCode.OTHER)
    dump = dump_of(row["pid"]) if row["host"] == host_name() else None
    if dump is None:
        where = "" if row["host"] == host_name() else f"; on its host {row['host']}, this command tells more"
        raise Failure(f"node {row['name']} does not answer: {why}{where}", ExitCode.OTHER)
    if not dump.strip():  # the signal waits: even a process whose loop is stuck would have written
        text = f"node {row['name']} does not answer ({why}), and its process {row['pid']} does not run: "
        raise Failure(f"{text}it is stopped, or starved (see ps -o state,pid,cmd {row['pid']})", ExitCode.OTHER)
    return {"node": row["name"], "pid": row["pid"], "why": why, "dump": dump}


def _headline(told: dict[str, Any]) -> str:
    where = f"node {told['node']} (process {told['pid']})"
    if "actor" not in told:
        return f"{where}: {counted(len(told['threads']), 'thread')}, {counted(len(told['coroutines']), 'coroutine')}"
    running = len(told["threads"]) + len(told["coroutines"])
    text = f"{told['class']} {told['actor']}, {told['state']}, on {where}: {running} running, {told['waiting']} waiting"
    shown = ", ".join(told["waiting_methods"])
    return f"{text} ({shown}{', ...' if told['waiting'] > len(told['waiting_methods']) else ''})" if shown else text


def _lines(row: dict[str, Any], *, full: bool) -> Iterable[str]:
    what = row["runs"] or row["name"]
    whom = row["actor"] or row["task"]
    asked = f", asked by {row['asked_by']}" if row.get("asked_by") else ""
    kind = f"thread {row['name']}" if "is_loop" in row else "coroutine"
    yield f"{what} {f'of {whom}{asked} ' if whom else ''}({kind}{', the loop' if row.get('is_loop') else ''})"
    for ref in row["waits_for"]:
        yield f"  waits for {ref}"
    for frame in row["frames"] if full else users(row["frames"]):
        yield f"  {frame['file']}:{frame['line']} in {frame['function']}"
        if frame["text"]:
            yield f"    {frame['text']}"


def users(frames: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The frames from the first one of users on; all, if none is."""
    for place, frame in enumerate(frames):
        if frame["is_users"]:
            return frames[place:]
    return frames
