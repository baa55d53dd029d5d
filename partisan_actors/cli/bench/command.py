"""`partisan bench`: measure every row, print the table, and write it down when asked to."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import click

from partisan_actors.cli.bench.coordinator import measure_rows
from partisan_actors.cli.bench.environment import describe_machine
from partisan_actors.cli.bench.report import Verdict, in_table_order, markdown_page, plain_table, to_json, verdict
from partisan_actors.cli.bench.rows import ROWS, Quantity, Row
from partisan_actors.cli.bench.samples import Measurement
from partisan_actors.cli.bench.turns import Plan
from partisan_actors.cli.lazy import LazyGroup, Subcommand
from partisan_actors.cli.progress import steps

__all__ = ["bench"]

KEYS = [row.key for row in ROWS]
PROFILED = [row.key for row in ROWS if row.quantity is not Quantity.ABSOLUTE or row.key == "create-actors"]
FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


SUBCOMMANDS: Final = {
    "features": Subcommand(
        "partisan_actors.cli.bench.features.command",
        "features",
        "Measure what each feature costs beside a plain call.",
    ),
    "frameworks": Subcommand(
        "partisan_actors.cli.bench.frameworks.command",
        "frameworks",
        "Measure the same work by Ray, xoscar, Dask and distributed Erlang, as far as they are installed.",
    ),
    "large-small": Subcommand(
        "partisan_actors.cli.bench.beside.command",
        "large_small",
        "Measure small calls while large arguments saturate the same pair of nodes.",
    ),
    "troubled-peers": Subcommand(
        "partisan_actors.cli.bench.beside.command",
        "troubled_peers",
        "Measure small calls while other peers do not answer dials, reconnect, or stand still.",
    ),
    "overlay": Subcommand(
        "partisan_actors.cli.bench.overlay.command",
        "overlay",
        "Start many real nodes over loopback TCP, and measure what their overlay costs.",
    ),
    "paper": Subcommand(
        "partisan_actors.cli.bench.paper.command",
        "paper",
        "Repeat the experiments of Partisan's paper: connections, lanes, channels, services.",
    ),
}


@click.group("bench", cls=LazyGroup, subcommands=SUBCOMMANDS, invoke_without_command=True)
@click.option("--quick", is_flag=True, help="Short turns: shows that everything works, figures are rough.")
@click.option("--row", "keys", multiple=True, type=click.Choice(KEYS), help="Measure this row only; may be repeated.")
@click.option("--json", "json_file", type=FILE, help="Write everything measured to this file, as JSON.")
@click.option("--markdown", "markdown_file", type=FILE, help="Write the documentation page to this file.")
@click.option("--strict", is_flag=True, help="Exit with status 1 unless every row keeps its bound.")
@click.option("--calibrate", is_flag=True, help="Compare the floor with itself, to see this machine's noise.")
@click.option("--profile", "profiled", type=click.Choice(PROFILED), help="Run this row under cProfile instead.")
@click.pass_context
def bench(
    ctx: click.Context,
    quick: bool,
    keys: tuple[str, ...],
    json_file: Path | None,
    markdown_file: Path | None,
    strict: bool,
    calibrate: bool,
    profiled: str | None,
) -> None:
    """Measure what calls and actors cost on this machine, as ratios to bare uvloop and msgpack."""
    if ctx.invoked_subcommand is not None:
        return
    signal.signal(signal.SIGTERM, _leave)  # by the front door, so that the rows' processes are ended too
    if profiled is not None:
        from partisan_actors.cli.bench.profiling import profile_row

        click.echo(profile_row(profiled, Plan.quick() if quick else Plan()))
        return
    machine = describe_machine()
    rows = [row for row in ROWS if not keys or row.key in keys]
    with steps("rows measured", len(rows), every_s=0.0) as progress:
        numbers = {row.key: number for number, row in enumerate(rows)}

        def announce(row: Row) -> None:
            progress.reach(numbers[row.key], f"now {row.title}")

        found = measure_rows(rows, quick=quick, calibrate=calibrate, announce=announce)
    results = in_table_order(found)
    _show(results)
    if json_file is not None:
        json_file.write_text(json.dumps(to_json(machine, results, quick=quick), indent=2) + "\n")
    if markdown_file is not None:
        markdown_file.write_text(markdown_page(machine, results, quick=quick))
    if strict and any(verdict(row, measurement) is not Verdict.PASS for row, measurement in results):
        sys.exit(1)


def _show(results: list[tuple[Row, Measurement]]) -> None:
    if not sys.stdout.isatty():
        click.echo(plain_table(results))
        return
    from rich.console import Console

    from partisan_actors.cli.bench.terminal import print_table

    print_table(results, Console())


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
