"""`partisan bench overlay`: real nodes by the hundred on this machine, and what their overlay costs."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from partisan_actors.cli.bench.environment import describe_machine
from partisan_actors.cli.bench.overlay.crew import MemberLost
from partisan_actors.cli.bench.overlay.phases import OverlayResult, run_overlay
from partisan_actors.cli.bench.overlay.plan import OverlayPlan, default_processes, raise_file_limit
from partisan_actors.cli.bench.overlay.report import remarks, table
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.node.overlay_names import DEFAULT_OVERLAY

__all__ = ["overlay"]


class Sizes(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """Numbers of nodes, separated by commas."""

    name = "N,N,..."

    def convert(self, value: str | list[int], param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        if isinstance(value, list):
            return value
        try:
            return [int(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers like 8,16,32", param, ctx)


@click.command("overlay")
@click.option("--overlay", "name", default=DEFAULT_OVERLAY, show_default=True, help="The overlay, as in NodeConfig.")
@click.option("--nodes", default=32, show_default=True, help="How many nodes.")
@click.option("--curve", type=Sizes(), help="Several runs of so many nodes each; ends with the first that fails.")
@click.option("--processes", type=int, help="Processes that share the nodes. [default: 2 for each core]")
@click.option("--contacts", default=1, show_default=True, help="How many nodes the others join through.")
@click.option("--interval", default=0.0, show_default=True, help="Seconds between joins; 0: all at once.")
@click.option("--broadcasts", default=20, show_default=True, help="Broadcasts from random nodes, before and after.")
@click.option("--rest", "rest_s", default=10.0, show_default=True, help="Seconds for which the nodes are left alone.")
@click.option("--limit", "limit_s", default=120.0, show_default=True, help="Seconds that joining and healing may take.")
@click.option("--kill/--no-kill", "kills", default=True, help="Kill one process, with all its nodes, at the end.")
@click.option("--killed", type=int, help="How many nodes that process plays. [default: as many as the others]")
@click.option("--actors", is_flag=True, help="Nodes with everything on them, and not the overlay's part alone.")
@click.option("--json", "as_json", is_flag=True, help="Print everything measured as JSON.")
def overlay(
    name: str,
    nodes: int,
    curve: list[int] | None,
    processes: int | None,
    contacts: int,
    interval: float,
    broadcasts: int,
    rest_s: float,
    limit_s: float,
    kills: bool,
    killed: int | None,
    actors: bool,
    as_json: bool,
) -> None:
    """Start many real nodes over loopback TCP, and measure what their overlay costs.

    They share a few processes; unless --actors is given they are nodes without actors. Exits with status 1 unless the
    overlay was connected and symmetric, every node knew every other, and every broadcast was delivered.
    """
    signal.signal(signal.SIGTERM, _leave)  # by the front door, so that no process stays behind
    files_max = raise_file_limit()
    sizes = curve or [nodes]
    plans = [
        OverlayPlan(
            overlay=name,
            nodes=size,
            processes=processes if processes is not None else default_processes(size),
            contacts=contacts,
            interval_s=interval,
            broadcasts=broadcasts,
            steady_s=rest_s,
            limit_s=limit_s,
            kills=kills,
            runtime=actors,
            killed=killed,
        )
        for size in sizes
    ]
    for plan in plans[:1] if curve else plans:
        plan.check_files(files_max)
    results = _run(plans, files_max)
    if as_json:
        machine = describe_machine().to_json()
        click.echo(json.dumps({"machine": machine, "runs": [result.to_json() for result in results]}, indent=1))
    else:
        click.echo(table(results))
    for result in results:
        for remark in remarks(result):
            click.echo(f"{result.plan.nodes} nodes: {remark}", err=True)
    if not all(result.is_good for result in results):
        sys.exit(ExitCode.OTHER)


def _run(plans: list[OverlayPlan], files_max: int) -> list[OverlayResult]:
    results: list[OverlayResult] = []
    for plan in plans:
        if plan.files_needed > files_max:
            click.echo(f"{plan.nodes} nodes would need more open files than this machine allows", err=True)
            break
        try:
            results.append(asyncio.run(run_overlay(plan, lambda text: click.echo(text, err=True))))
        except MemberLost as error:
            raise Failure(str(error), ExitCode.OTHER) from error
        if not results[-1].is_good:
            break
    return results


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
