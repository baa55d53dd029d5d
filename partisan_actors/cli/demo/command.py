"""`partisan demo`: run the story, show how far it is, then the report."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

import click

from partisan_actors.cli.demo.outcome import Outcome, Plan
from partisan_actors.cli.demo.report import is_right, plain_text, to_json
from partisan_actors.cli.demo.story import play
from partisan_actors.cli.demo.trace import Trace, describe_trace, sample_some, tracing_options

__all__ = ["demo"]

TRACE_FILE: Final = "partisan-demo-trace.jsonl"
TIMEOUT_S: Final = 55.0
STANDARD: Final = Plan()
QUICK_FILES: Final = 120
QUICK_QUERIES: Final = 100

_FILE: Final = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command("demo")
@click.option("--nodes", type=click.IntRange(2, 64), default=STANDARD.nodes, show_default=True, help="Workers.")
@click.option(
    "--shards", type=click.IntRange(1, 1024), default=STANDARD.shards, show_default=True, help="Of the index."
)
@click.option("--queries", type=click.IntRange(2), help=f"[default: {STANDARD.queries}, quick: {QUICK_QUERIES}]")
@click.option("--seed", type=int, default=STANDARD.seed, show_default=True, help="Draws queries, and the node to kill.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and progress on standard error.")
@click.option("--trace-file", type=_FILE, help=f"Written anew each time.  [default: ./{TRACE_FILE}]")
@click.option("--quick", is_flag=True, help="An index of fewer files, and fewer queries.")
def demo(
    nodes: int, shards: int, queries: int | None, seed: int, as_json: bool, trace_file: Path | None, quick: bool
) -> None:
    """Spread an index of Python's standard library over a cluster, kill a node, and compare every answer.

    The nodes are processes of this machine, joined by HyParView. Exit status: 0 when every answer equals that of a
    plain index in one process, 1 when one differs or something fails.
    """
    file = trace_file or _default_trace_file()
    sample_some(os.environ)
    try:
        tracing = tracing_options(file, os.environ)
    except OSError as error:
        raise click.BadParameter(str(error), param_hint="--trace-file") from error
    plan = Plan(
        nodes=nodes,
        shards=shards,
        queries=queries or (QUICK_QUERIES if quick else STANDARD.queries),
        seed=seed,
        files_max=QUICK_FILES if quick else None,
        tracing=tracing,
    )
    try:
        outcome = asyncio.run(_play_in_time(plan, _announcer(sys.stderr if as_json else sys.stdout)))
    except ExceptionGroup as group:
        raise _first(group) from group
    _show(outcome, describe_trace(file, os.environ), as_json)
    if not is_right(outcome):
        sys.exit(1)


async def _play_in_time(plan: Plan, say: Callable[[str], None]) -> Outcome:
    deadline = asyncio.timeout(TIMEOUT_S)
    try:
        async with deadline:
            return await play(plan, say)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise click.ClickException(f"the demo was not done within {TIMEOUT_S:g} s") from error


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _announcer(stream: TextIO) -> Callable[[str], None]:
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"[{time.monotonic() - began:4.1f} s] {text}", file=stream)

    return say


def _show(outcome: Outcome, trace: Trace, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(to_json(outcome, trace), indent=2, default=str))
    elif sys.stdout.isatty():
        from rich.console import Console

        from partisan_actors.cli.demo.terminal import print_report

        print_report(outcome, trace, Console())
    else:
        click.echo("\n" + plain_text(outcome, trace))


def _default_trace_file() -> Path:
    folder = Path.cwd()
    return (folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())) / TRACE_FILE
