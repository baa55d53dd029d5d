"""`partisan why`: what pending work waits for."""

from __future__ import annotations

from typing import Any

import click

from partisan_actors.api.pending import PENDING_WORK
from partisan_actors.cli.asking import Target, json_option, show_json, survey, target_options
from partisan_actors.cli.tame import tame

__all__ = ["why"]


@click.command()
@click.argument("wanted", metavar="[ID]", required=False)
@json_option
@target_options
def why(target: Target, wanted: str | None, as_json: bool) -> None:
    """What tasks and actors wait for that are not done, or have no place.

    With ID, only those whose name or id contains it. Each node tells of what it has submitted, the oldest first.
    """
    found = survey(target, PENDING_WORK, "all")
    rows: list[dict[str, Any]] = [
        {"from": answer.name, **row}
        for answer in found.answered
        for row in answer.value
        if wanted is None or wanted in row["what"]
    ]
    if as_json:
        show_json({**found.facts(), "pending": rows})
        return
    click.echo(f"cluster {found.cluster}: {len(rows) or 'nothing'} pending")
    for row in rows:
        click.echo(tame(f"\n{row['what']} {row['state']} (submitted by {row['from']})"))
        for reason in row["reasons"]:
            click.echo(tame(f"  - {reason}"))
    found.remark()
