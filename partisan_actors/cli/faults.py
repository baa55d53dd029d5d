"""`partisan faults`: inject faults into the nodes of a running cluster, by operation or by plan file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from partisan_actors.api.control import CONTROL
from partisan_actors.api.observer import Answer
from partisan_actors.cli.asking import Survey, Target, json_option, show_json, survey, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.plan import nested
from partisan_actors.cli.table import counted
from partisan_actors.faults.operations import OPERATIONS
from partisan_actors.faults.plan import FaultPlan

__all__ = ["faults"]

BEGINS_S: Final = 0.5

seed_option = click.option("--seed", default=0, show_default=True, help="Decides what chance selects.")


@click.group("faults")
def faults() -> None:
    """Inject faults into nodes that allow it: loss, cuts, delays, crashes.

    Every node that is up and was started with --allow-faults carries out its part; the others are named. `partisan
    status` warns as long as there are any.
    """


@faults.command()
@click.argument("operation", type=click.Choice(sorted(OPERATIONS)))
@click.argument(
    "fields", nargs=-1, metavar="[K=V]...", callback=lambda ctx, parameter, texts: nested(ctx, parameter, texts)
)
@seed_option
@json_option
@target_options
def add(target: Target, operation: str, fields: dict[str, Any], seed: int, as_json: bool) -> None:
    """Begin one operation.

    For example `partisan faults add cut until_s=20 'side=["n1"]'`, or `add loss until_s=60 rate=0.05`. The fields are
    those of fault plans, times in seconds from now. It begins after half a second, when all nodes have heard of it,
    unless at_s is given.
    """
    plan = {"version": 1, "operations": [{"do": operation, "at_s": BEGINS_S, **fields}]}
    _begin(target, FaultPlan.from_data(plan), seed, as_json)


@faults.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@seed_option
@json_option
@target_options
def plan(target: Target, file: Path, seed: int, as_json: bool) -> None:
    """Begin the plan in FILE, the same JSON that `partisan simulate` runs."""
    _begin(target, FaultPlan.from_json(file.read_bytes()), seed, as_json)


@faults.command("list")
@json_option
@target_options
def list_faults(target: Target, as_json: bool) -> None:
    """The plans in force, and how many messages suffered."""
    found = _asked(survey(target, CONTROL, "faults", "list"))
    if as_json:
        show_json({answer.name: answer.value for answer in found})
        return
    for answer in found:
        suffered = ", ".join(f"{count} {kind}" for kind, count in sorted(answer.value["counts"].items())) or "none"
        click.echo(f"{answer.name}: {counted(answer.value['rules'], 'rule')}; messages that suffered: {suffered}")
        for each in answer.value["plans"]:
            for operation in each["operations"]:
                click.echo(f"  plan {each['plan']}: {json.dumps(operation)}")


@faults.command()
@json_option
@target_options
def clear(target: Target, as_json: bool) -> None:
    """End every plan; what crashed or left stays as it is."""
    found = _asked(survey(target, CONTROL, "faults", "clear"))
    ended = sum(answer.value for answer in found)
    if as_json:
        show_json({"nodes": [answer.name for answer in found], "ended": ended})
    else:
        click.echo(f"ended {counted(ended, 'plan')} on {counted(len(found), 'node')}")


def _begin(target: Target, made: FaultPlan, seed: int, as_json: bool) -> None:
    found = _asked(survey(target, CONTROL, "faults", "add", made.to_data(), seed))
    nodes = [answer.name for answer in found]
    if as_json:
        show_json({"nodes": nodes, "operations": len(made.operations), "end_s": made.end_s})
    else:
        many = counted(len(made.operations), "operation")
        click.echo(f"{many} on {', '.join(nodes)}, over in {made.end_s:g} s")


def _asked(found: Survey) -> list[Answer]:
    """The nodes that did what was asked. Raises Failure when there is none, with what one of them said."""
    for answer in found.answers:
        if answer.why is not None:
            click.echo(f"not on {answer.name}: {answer.why}", err=True)
    if not found.answered:
        raise Failure("no node takes part: start nodes with --allow-faults", ExitCode.USAGE)
    return found.answered
