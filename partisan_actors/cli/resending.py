"""`partisan dead-letters resend`: send messages that reached nobody again, to whom they were for or to another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from partisan_actors.api.inspection import INSPECT, LIVE
from partisan_actors.api.observer import Observer
from partisan_actors.api.steering import STEERING
from partisan_actors.cli.actor_rows import rows_of, the_one
from partisan_actors.cli.asker import asker
from partisan_actors.cli.asking import Survey, Target, ask, check_node, json_option, show_json, target_options
from partisan_actors.cli.confirming import confirm, is_somebody_there, yes_option
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.table import counted
from partisan_actors.cli.tame import tame

__all__ = ["resend"]


class _Sending(NamedTuple):
    """A letter, the actor that is to get it, and the node which that is on."""

    letter: dict[str, Any]
    actor: dict[str, Any]
    host: dict[str, Any]

    def __str__(self) -> str:
        letter, actor = self.letter, self.actor
        return f"{letter['method']} of {letter['whom']} again, to {actor['class']} {actor['id']} on {actor['node']}"


@click.command()
@click.argument("node_name", metavar="NODE")
@click.argument("numbers", metavar="NUMBER...", type=click.IntRange(1), nargs=-1, required=True)
@click.option("--to", "whom", metavar="ACTOR", help="To this actor: its name, its id, or the end of that.")
@yes_option
@json_option
@target_options
def resend(
    target: Target, node_name: str, numbers: tuple[int, ...], whom: str | None, yes: bool, as_json: bool
) -> None:
    """Send messages that got lost on NODE again, by their numbers.

    To the actor that each was for, if that lives, or else to the one that --to names. They are taken out of the dead
    letters, and one that does not arrive this time either is one more of them. Not every one is kept: those with large
    arguments are not. NODE logs who has asked.
    """
    who = asker()
    numbers = tuple(dict.fromkeys(numbers))

    async def look(observer: Observer) -> list[_Sending]:
        return (await _sendings(observer, node_name, numbers, whom))[1]

    async def send(observer: Observer) -> list[dict[str, Any]]:
        node, sendings = await _sendings(observer, node_name, numbers, whom)
        return [await _send(observer, node, sending, who) for sending in sendings]

    if not (yes or as_json) and is_somebody_there():
        sendings = ask(target, look)
        for sending in sendings:
            click.echo(tame(str(sending)))
        confirm(f"Send {counted(len(sendings), 'message')}?")
    rows = ask(target, send)
    refused = [row for row in rows if row["why"] is not None]
    if as_json:
        show_json({"node": node_name, "sent": rows})
    for row in () if as_json else rows:
        if row["why"] is None:
            click.echo(tame(f"{row['number']}: sent {row['method']} to {row['class']} {row['actor']}"))
    if refused:
        told = "; ".join(f"{row['number']}: {row['why']}" for row in refused)
        raise Failure(f"node {node_name}: {told}", ExitCode.OTHER)


async def _sendings(
    observer: Observer, node_name: str, numbers: Sequence[int], whom: str | None
) -> tuple[dict[str, Any], list[_Sending]]:
    """The node, and what is to be sent from there to whom. Raises Failure for what cannot be."""
    rows = await observer.members()
    live = [row for row in rows if row["state"] in LIVE]
    check_node(live, node_name, state="up")
    node = next(row for row in live if row["name"] == node_name)
    answer = await observer.ask_row(node, INSPECT, "dead_letters")
    if answer.why is not None:
        raise Failure(f"node {node_name}: {answer.why}", ExitCode.OTHER)
    letters = {row["number"]: row for row in answer.value["rows"]}
    actors = rows_of(Survey(observer.cluster, rows, await observer.ask_all(live, INSPECT, "all_actors")), {})
    hosts = {row["name"]: row for row in live}
    found = []
    for number in numbers:
        letter = letters.get(number)
        if letter is None or not letter["may_resend"]:
            why = "is not among its last dead letters" if letter is None else "is not kept: too large, or no tell"
            raise Failure(f"number {number} of node {node_name} {why}", ExitCode.OTHER)
        actor = the_one(actors, whom) if whom else next((row for row in actors if row["id"] == letter["actor"]), None)
        if actor is None or actor["node"] not in hosts or actor["state"] in ("stopped", "stopping"):
            what = f"{actor['class']} {actor['id']} is {actor['state']}" if actor else f"{letter['whom']} is gone"
            raise Failure(f"{what}: say with --to which actor is to get number {number}", ExitCode.OTHER)
        found.append(_Sending(letter, actor, hosts[actor["node"]]))
    return node, found


async def _send(observer: Observer, node: dict[str, Any], sending: _Sending, who: str) -> dict[str, Any]:
    letter, actor, host = sending
    about = (letter["number"], actor["id"], actor["class"], host["id"], who)
    answer = await observer.ask_row(node, STEERING, "resend", *about)
    told = {name: letter[name] for name in ("number", "method", "whom")}
    return {**told, "actor": actor["id"], "class": actor["class"], "to_node": actor["node"], "why": answer.why}
