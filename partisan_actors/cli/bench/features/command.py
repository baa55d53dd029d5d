"""`partisan bench features`: plain calls and calls with one feature, by turns."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from partisan_actors.cli.bench.environment import describe_machine
from partisan_actors.cli.bench.features.load import FEATURES, PLAIN, FeaturePlan, measure_features
from partisan_actors.cli.bench.features.report import page, table

__all__ = ["features"]

FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command("features")
@click.option("--quick", is_flag=True, help="Short turns: shows that everything works, figures are rough.")
@click.option(
    "--feature",
    "names",
    multiple=True,
    type=click.Choice([name for name in FEATURES if name != PLAIN]),
    help="Measure this one only, beside plain calls; may be repeated.",
)
@click.option("--json", "json_file", type=FILE, help="Write everything measured to this file, as JSON.")
@click.option("--markdown", "markdown_file", type=FILE, help="Write the documentation page to this file.")
def features(quick: bool, names: tuple[str, ...], json_file: Path | None, markdown_file: Path | None) -> None:
    """Measure what each feature costs beside a plain call."""
    signal.signal(signal.SIGTERM, _leave)  # by the front door, so that the worker is ended too
    machine = describe_machine()
    costs = measure_features(FeaturePlan.quick() if quick else FeaturePlan(), names or tuple(FEATURES))
    click.echo(table(costs))
    if json_file is not None:
        found = {"machine": machine.to_json(), "costs": [cost.to_json() for cost in costs]}
        json_file.write_text(json.dumps(found, indent=2) + "\n")
    if markdown_file is not None:
        markdown_file.write_text(page(costs, machine))


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
