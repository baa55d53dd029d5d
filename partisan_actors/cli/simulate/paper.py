"""`partisan simulate paper`: run a published experiment again, and judge what comes out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import click

from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.progress import steps
from partisan_actors.cli.simulate.figure import check_drawable, draw
from partisan_actors.cli.simulate.paper_table import HEADINGS, cells, doubts, page
from partisan_actors.cli.table import show_table
from partisan_actors.simulation.papers.catalogue import EXPERIMENTS
from partisan_actors.simulation.papers.judging import Result
from partisan_actors.simulation.papers.running import run

__all__ = ["paper"]

ALL: Final = "all"
NODES_LEAST: Final = 100  # with fewer there is no giant component to speak of
PATH = click.Path(path_type=Path)


@click.command("paper")
@click.argument("name", type=click.Choice([*EXPERIMENTS, ALL]))
@click.option("--nodes", type=click.IntRange(NODES_LEAST), default=10_000, show_default=True, help="In the overlay.")
@click.option("--seeds", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many runs.")
@click.option("--first-seed", type=int, default=1, show_default=True, help="Seeds count up from here.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes. [default: one a core]")
@click.option("--json", "as_json", is_flag=True, help="Print everything measured as JSON.")
@click.option(
    "--figure", type=PATH, help="Draw into this file (.svg, .png, .pdf); with `all`, NAME.svg into this folder."
)
@click.option("--markdown", type=PATH, help="Write the tables to this file, in Markdown.")
def paper(
    name: str,
    nodes: int,
    seeds: int,
    first_seed: int,
    jobs: int | None,
    as_json: bool,
    figure: Path | None,
    markdown: Path | None,
) -> ExitCode:
    """Run a published experiment again, on the machines that real nodes run.

    Ours stand beside the values of the papers and those of theory. Where these say what has to come out, there is a
    band; exit status 1 when one does not hold. The default is the papers' size, and takes minutes; `--nodes 1000
    --seeds 2` shows the same in seconds, with wider bands.
    """
    names = list(EXPERIMENTS) if name == ALL else [name]
    files = _files(names, figure, into_folder=name == ALL)
    for file in files.values():
        check_drawable(file)
    if markdown is not None and not markdown.parent.is_dir():
        raise Failure(f"cannot write {markdown}: there is no folder {markdown.parent}", ExitCode.USAGE)
    with steps("experiments", len(names) * seeds, quiet=as_json, every_s=0.0) as progress:
        results = run(names, nodes, range(first_seed, first_seed + seeds), jobs, progress.advance)
    for result in results:
        if not as_json:
            _show(result)
        if result.paper in files:
            draw(result, files[result.paper])
    if as_json:
        found = [result.to_json() for result in results]
        click.echo(json.dumps(found if name == ALL else found[0], indent=2))
    if markdown is not None:
        pictures = {name: Path(os.path.relpath(file, markdown.parent)).as_posix() for name, file in files.items()}
        markdown.write_text(page(results, pictures), encoding="utf-8")
    return ExitCode.OTHER if any(result.failed for result in results) else ExitCode.OK


def _files(names: list[str], figure: Path | None, *, into_folder: bool) -> dict[str, Path]:
    """Where each experiment is drawn."""
    if figure is None:
        return {}
    return {name: figure / f"{name}.svg" if into_folder else figure for name in names}


def _show(result: Result) -> None:
    click.echo(f"{result.title} ({result.nodes:,} nodes, seeds {result.seeds[0]} to {result.seeds[-1]})")
    show_table(HEADINGS, cells(result))
    for line in [*result.notes, *doubts(result)]:
        click.echo(f"  {line}")
    failed = len(result.failed)
    banded = sum(row.band is not None for row in result.rows)
    held = f"{banded - failed} of {banded} bands hold" if banded else "too few nodes for any band"
    click.echo(f"{held}; {result.cpu_s:.0f} s of processor time\n")
