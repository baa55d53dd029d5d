"""`partisan bench frameworks`: the same work by Ray, xoscar, Dask, distributed Erlang, the floor, and ours."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from partisan_actors.cli.bench.environment import describe_machine
from partisan_actors.cli.bench.frameworks.entrants import ENTRANTS
from partisan_actors.cli.bench.frameworks.report import page, table
from partisan_actors.cli.bench.frameworks.tournament import hold
from partisan_actors.cli.bench.frameworks.work import WORK

__all__ = ["frameworks"]

FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
PIECES = [piece.name for piece in WORK]


@click.command("frameworks")
@click.option("--only", "names", multiple=True, type=click.Choice(list(ENTRANTS)), help="Who takes part; repeatable.")
@click.option("--piece", "pieces", multiple=True, type=click.Choice(PIECES), help="This work only; repeatable.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="How often each performs.")
@click.option(
    "--seconds", type=click.FloatRange(0.05, 60), default=1.5, show_default=True, help="For each piece of work."
)
@click.option("--json", "json_file", type=FILE, help="Write everything measured to this file, as JSON.")
@click.option("--markdown", "markdown_file", type=FILE, help="Write the documentation page to this file.")
def frameworks(
    names: tuple[str, ...],
    pieces: tuple[str, ...],
    rounds: int,
    seconds: float,
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Measure the same work by Ray, xoscar, Dask and distributed Erlang, as far as they are installed."""
    signal.signal(signal.SIGTERM, _leave)  # by the front door, so that whatever was started is ended too
    machine = describe_machine()
    scores = hold(names or tuple(ENTRANTS), pieces or PIECES, rounds, seconds, lambda text: click.echo(text, err=True))
    click.echo(table(scores))
    if json_file is not None:
        found = {"machine": machine.to_json(), "scores": [score.to_json() for score in scores]}
        json_file.write_text(json.dumps(found, indent=2) + "\n")
    if markdown_file is not None:
        markdown_file.write_text(page(scores, machine, rounds=rounds, seconds=seconds))


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
