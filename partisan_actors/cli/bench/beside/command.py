"""`partisan bench large-small`, `troubled-peers`: small calls beside large arguments, or beside peers in trouble."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from partisan_actors.cli.bench.beside.load import CONFIGURATIONS, MIB, LoadPlan, measure_beside
from partisan_actors.cli.bench.beside.peers import TROUBLES, measure_peers
from partisan_actors.cli.bench.beside.report import keeps_bounds, peers_table, table
from partisan_actors.cli.bench.environment import describe_machine

__all__ = ["large_small", "troubled_peers"]

FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command("large-small")
@click.option("--size", type=click.FloatRange(0.3), default=8.0, show_default=True, help="MiB of each large argument.")
@click.option("--outstanding", type=click.IntRange(1), default=16, show_default=True, help="How many at a time.")
@click.option("--turns", type=click.IntRange(1), default=5, show_default=True, help="Times idle and loaded by turns.")
@click.option("--turn", "turn_s", type=click.FloatRange(0.05), default=2.0, show_default=True, help="Seconds of each.")
@click.option("--json", "json_file", type=FILE, help="Write everything measured to this file, as JSON.")
@click.option("--strict", is_flag=True, help="Exit with status 1 unless the default settings keep their bounds.")
def large_small(size: float, outstanding: int, turns: int, turn_s: float, json_file: Path | None, strict: bool) -> None:
    """Measure small calls while large arguments saturate the same pair of nodes.

    Once with the default settings, once with `interleave` off, so that large and small share a lane.
    """
    signal.signal(signal.SIGTERM, _leave)  # by the front door, so that the worker is ended too
    machine = describe_machine()
    plan = LoadPlan(round(size * MIB), outstanding, turns, turn_s)
    results = []
    for configuration in CONFIGURATIONS:
        click.echo(f"measuring: {configuration}", err=True)
        results.append(measure_beside(configuration, plan))
    click.echo(table(results))
    if json_file is not None:
        found = {"machine": machine.to_json(), "results": [result.to_json() for result in results]}
        json_file.write_text(json.dumps(found, indent=2) + "\n")
    if strict and not keeps_bounds(results[0]):
        sys.exit(1)


@click.command("troubled-peers")
@click.option("--turns", type=click.IntRange(1), default=4, show_default=True, help="Times alone and beside by turns.")
@click.option("--turn", "turn_s", type=click.FloatRange(0.05), default=1.5, show_default=True, help="Seconds of each.")
@click.option("--json", "json_file", type=FILE, help="Write everything measured to this file, as JSON.")
def troubled_peers(turns: int, turn_s: float, json_file: Path | None) -> None:
    """Measure small calls while other peers of the caller do not answer dials, reconnect, or stand still."""
    signal.signal(signal.SIGTERM, _leave)  # by the front door, so that the workers are ended too
    machine = describe_machine()
    plan = LoadPlan(turns=turns, turn_s=turn_s)
    results = []
    for trouble in TROUBLES:
        click.echo(f"measuring: {trouble}", err=True)
        results.append(measure_peers(trouble, plan))
    click.echo(peers_table(results))
    if json_file is not None:
        found = {"machine": machine.to_json(), "results": [result.to_json() for result in results]}
        json_file.write_text(json.dumps(found, indent=2) + "\n")


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
