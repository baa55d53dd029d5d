"""`partisan join`, `leave` and `evict`: who is in the cluster, changed from outside."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import click

from partisan_actors.api.control import CONTROL
from partisan_actors.api.inspection import INSPECT
from partisan_actors.api.observer import Observer
from partisan_actors.cli.asking import Target, ask, check_node, json_option, show_json, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.ids import NodeId

__all__ = ["evict", "join", "leave"]

DONE_TIMEOUT_S: Final = 15.0
LOOK_AGAIN_S: Final = 0.05


@click.command()
@click.argument("contact", metavar="HOST:PORT")
@json_option
@target_options
def join(target: Target, contact: str, as_json: bool) -> None:
    """Have a node join another one of its cluster.

    The other one is at HOST:PORT; links to those that the node has joined already stay. That is how a node comes back
    which has left, how the links of a static overlay are made, and how two parts are brought together. The node is the
    one at --address; it dials in the background.
    """

    async def question(observer: Observer) -> dict[str, Any]:
        await observer.ask(observer.contact, CONTROL, "join", contact)
        return {"node": observer.contact.name, "joins": contact}

    facts = ask(target, question)
    _tell(facts, f"node {facts['node']} joins {contact}", as_json)


@click.command()
@click.option("--node", "name", metavar="NAME", help="Which one. [default: the one that is asked]")
@json_option
@target_options
def leave(target: Target, name: str | None, as_json: bool) -> None:
    """Have a node leave its cluster and go on alone.

    It is alone until it joins again. Its actors end; those that are restartable are restarted elsewhere. Only nodes
    that `partisan start` runs leave when they are asked to from outside.
    """
    facts = ask(target, lambda observer: _leave(observer, name))
    _tell(facts, f"node {facts['node']} has left cluster {facts['cluster']} and is alone", as_json)


@click.command()
@click.argument("name")
@json_option
@target_options
def evict(target: Target, name: str, as_json: bool) -> None:
    """Put a node out of its cluster.

    The node NAME is alone then, until it joins again.
    """

    async def question(observer: Observer) -> dict[str, Any]:
        await observer.ask(observer.contact, CONTROL, "evict", name)
        await _until_state(observer, name, "left")
        return {"cluster": observer.cluster, "node": name}

    facts = ask(target, question)
    _tell(facts, f"node {name} is out of cluster {facts['cluster']}", as_json)


async def _leave(observer: Observer, name: str | None) -> dict[str, Any]:
    wanted = name or observer.contact.name
    rows = [row for row in await observer.members() if row["state"] == "up"]
    check_node(rows, wanted, state="up")
    chosen = [row for row in rows if row["name"] == wanted]
    (answer,) = await observer.ask_all(chosen, CONTROL, "leave")
    if answer.why is not None:
        raise Failure(f"no answer from {wanted}: {answer.why}", ExitCode.OTHER)
    if not answer.value["leaves"]:
        what = f"process {answer.value['pid']} on {answer.value['host']}"
        raise Failure(f"node {wanted} belongs to a program ({what}), which may call leave() itself", ExitCode.OTHER)
    node = NodeId.parse(chosen[0]["id"])
    deadline = asyncio.get_running_loop().time() + DONE_TIMEOUT_S
    while any(row["state"] == "up" and row["name"] != wanted for row in await observer.ask(node, INSPECT, "nodes")):
        _check(deadline, f"{wanted} has not left")
        await asyncio.sleep(LOOK_AGAIN_S)
    return {"cluster": observer.cluster, "node": wanted}


async def _until_state(observer: Observer, name: str, state: str) -> None:
    deadline = asyncio.get_running_loop().time() + DONE_TIMEOUT_S
    while any(row["name"] == name and row["state"] != state for row in await observer.members()):
        _check(deadline, f"{name} is not {state}")
        await asyncio.sleep(LOOK_AGAIN_S)


def _check(deadline: float, what: str) -> None:
    if asyncio.get_running_loop().time() > deadline:
        raise Failure(f"{what} after {DONE_TIMEOUT_S:g} s", ExitCode.OTHER)


def _tell(facts: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        show_json(facts)
    else:
        click.echo(text)
