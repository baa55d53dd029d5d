"""`partisan overlay`: who is whose neighbour, as every node says itself."""

from __future__ import annotations

from typing import Any

import click

from partisan_actors.api.inspection import INSPECT
from partisan_actors.api.observer import Answer
from partisan_actors.cli.asking import Target, json_option, show_json, survey, target_options
from partisan_actors.cli.table import counted, show_table

__all__ = ["overlay"]


@click.command()
@json_option
@target_options
def overlay(target: Target, as_json: bool) -> None:
    """Who is whose active and passive neighbour.

    A node keeps connections to its active neighbours, and knows its passive ones as replacements. In a full mesh every
    member is an active neighbour, unless it has failed.
    """
    found = survey(target, INSPECT, "views")
    if as_json:
        show_json({**found.facts(), "nodes": [_facts(answer) for answer in found.answered]})
        return
    kinds = sorted({answer.row["overlay"] for answer in found.answers})
    click.echo(f"cluster {found.cluster}: overlay {', '.join(kinds)}, {counted(len(found.answers), 'node')} up")
    rows = [_line(answer) for answer in found.answers]
    show_table(("node", "active", "passive"), rows)
    found.remark()


def neighbours(views: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    """The active and the passive neighbours in the views of any strategy, by name."""
    if "active" in views:
        return sorted(views["active"]), sorted(views.get("passive", ()))
    failed = views.get("failed", ())
    return sorted(name for name in views.get("members", ()) if name not in failed), []


def _facts(answer: Answer) -> dict[str, Any]:
    active, passive = neighbours(answer.value)
    return {
        "name": answer.name,
        "overlay": answer.row["overlay"],
        "active": active,
        "passive": passive,
        "views": answer.value,
    }


def _line(answer: Answer) -> list[str]:
    if answer.why is not None:
        return [answer.name, "no answer", ""]
    active, passive = neighbours(answer.value)
    return [answer.name, " ".join(active) or "-", " ".join(passive) or "-"]
