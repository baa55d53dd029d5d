"""`partisan deadlocks`: actors that wait for each other for ever."""

from __future__ import annotations

import click

from partisan_actors.api.deadlock_rows import deadlocks_in
from partisan_actors.api.inspection import INSPECT
from partisan_actors.cli.asking import Target, json_option, show_json, survey, target_options
from partisan_actors.cli.table import counted
from partisan_actors.cli.tame import tame

__all__ = ["deadlocks"]


@click.command()
@json_option
@target_options
def deadlocks(target: Target, as_json: bool) -> None:
    """Which calls wait for each other in a ring, so that none of them ever ends.

    For each call: the method, the actor, its node, and for how long it is known to wait. Seconds are counted from the
    first time that anybody asked.
    """
    found = survey(target, INSPECT, "waits")
    rings = deadlocks_in(row for answer in found.answered for row in answer.value)
    if as_json:
        show_json({**found.facts(), "deadlocks": rings})
        return
    click.echo(f"cluster {found.cluster}: {counted(len(rings), 'deadlock')}")
    for ring in rings:
        for step in ring["text"].split("; "):
            click.echo(f"  {tame(step)}")
        click.echo("")
    if rings and rings[0]["waiting"]:
        click.echo(f"{counted(rings[0]['waiting'], 'more call')} wait for these")
    found.remark()
