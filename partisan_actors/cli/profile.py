"""`partisan profile`: where a node's threads, or the methods of an actor's class, spend their time, from now on."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any, Final

import click

from partisan_actors.api.observer import Observer
from partisan_actors.api.profiling import PROFILES, RATE_MAX, SECONDS_MAX
from partisan_actors.cli.actor_rows import find_node_or_actor
from partisan_actors.cli.asking import Target, ask, json_option, show_json, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.files import output_option, write_file
from partisan_actors.cli.flame_svg import flame_svg
from partisan_actors.cli.measured import ordered, seconds_text
from partisan_actors.cli.profile_formats import CLOCKS, clock_of, folded, hottest, place_text, speedscope
from partisan_actors.cli.progress import Steps, steps
from partisan_actors.cli.table import counted, plain_table, show_table
from partisan_actors.cli.tame import tame

__all__ = ["profile"]

PATIENCE_S: Final = 10.0
_FORMATS: Final = ("table", "folded", "speedscope", "svg")
_HEADINGS: Final = ("own cpu", "total cpu", "own time", "total time", "function", "where")
_SORTS: Final = ("own", "total")

_NOTHING: Final = (
    "nothing was seen to run: it is idle, or all that it runs is over within 0.2 ms, or it waits in coroutines, "
    "which are on no thread (see partisan stack)"
)


@click.command()
@click.argument("which", metavar="NODE|ACTOR")
@click.option(
    "--seconds", default=5.0, show_default=True, type=click.FloatRange(0.1, SECONDS_MAX), help="For how long."
)
@click.option("--rate", default=100, show_default=True, type=click.IntRange(1, RATE_MAX), help="Looks a second.")
@click.option("--by", type=click.Choice(CLOCKS), help="By processor time, or by the clock, waiting too. [default: cpu]")
@click.option("--sort", type=click.Choice(_SORTS), default="own", show_default=True, help="The most first.")
@click.option("--limit", "-n", default=20, show_default=True, type=click.IntRange(1), help="How many functions.")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="table",
    show_default=True,
    help="A table of functions, or all stacks for another viewer.",
)
@output_option
@json_option
@target_options
def profile(
    target: Target,
    which: str,
    seconds: float,
    rate: int,
    by: str | None,
    sort: str,
    limit: int,
    form: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Record where a node or an actor spends its time.

    The threads of the node, named or by its id, are looked at for some seconds; of an actor, by its name, its id or the
    end of that, what runs below the methods of its class on its node. Nothing is stopped or changed.

    `own` is what a function takes itself, and `total` what it calls as well: `cpu` the processor time of the thread,
    `time` that during which it was there, waiting or not. Coroutines that wait are on no thread, and are
    not seen: `partisan stack` shows those.

    --format folded is a line for each stack, for flamegraph.pl and its kin; speedscope a file for
    https://www.speedscope.app, svg a picture for any browser.
    """
    told = ask(target, lambda observer: _record(observer, which, seconds, rate, quiet=as_json))
    clock = clock_of(told, by)
    if clock == "cpu" and not told["has_cpu"]:
        raise Failure(f"the system of node {told['node']} does not tell it: --by time", ExitCode.OTHER)
    found = ordered(hottest(told), f"{clock}_total_s", names=("function", "file", "line"))
    rows = sorted(found, key=lambda row: -row[f"{clock}_{sort}_s"])[:limit]
    title = _title(told)
    if output is not None:
        write_file(output, _text(told, form, clock, title, rows) + "\n")
        about = {name: told[name] for name in ("node", "seconds", "samples", "cut")}
        if as_json:
            show_json({**about, "file": str(output), "format": form})
        else:
            click.echo(f"{output}: {tame(title)}")
    elif as_json:
        show_json({**told, "functions": rows})
    elif form != "table":
        click.echo(_text(told, form, clock, title, rows))
    else:
        click.echo(tame(title))
        if rows:
            show_table(_HEADINGS, _lines(rows), ("total time", "own time"))
    if not rows and not as_json:
        click.echo(_NOTHING, err=True)
    if told["cut"] and not as_json:
        click.echo(f"{told['cut']} looks at more places than are kept count where these were called from", err=True)


async def _record(observer: Observer, which: str, seconds: float, rate: int, *, quiet: bool) -> dict[str, Any]:
    host, actor, _ = await find_node_or_actor(observer, which)
    method, whom = ("node", ()) if actor is None else ("actor", (actor["id"],))
    patience_s = seconds + PATIENCE_S
    asked = observer.ask_row(host, PROFILES, method, *whom, seconds, rate, timeout_s=patience_s)
    with steps(f"looking at {host['name']}", math.ceil(seconds), quiet=quiet) as progress:
        ticking = asyncio.ensure_future(_tick(progress, seconds))
        try:
            answer = await asked
        finally:
            ticking.cancel()
    if answer.why is not None:
        raise Failure(f"node {host['name']}: {answer.why}", ExitCode.OTHER)
    return dict(answer.value) if actor is None else {**answer.value, "actor": actor["id"]}


async def _tick(progress: Steps, seconds: float) -> None:
    """Show how much of the time is over: until this is cancelled, for the answer comes a little later."""
    for done in range(math.ceil(seconds) + 1):
        progress.reach(done, "seconds" if done < seconds else "seconds, the answer comes")
        await asyncio.sleep(1.0)


def _title(told: dict[str, Any]) -> str:
    where = f"node {told['node']} (process {told['pid']})"
    whom = f"class {told['class']} on {where}" if "class" in told else where
    return f"{whom}: {counted(told['samples'], 'look')} in {seconds_text(told['seconds'])}"


def _text(told: dict[str, Any], form: str, clock: str, title: str, rows: list[dict[str, Any]]) -> str:
    if form == "folded":
        return tame("\n".join(folded(told, clock)))
    if form == "speedscope":
        return json.dumps(speedscope(told, clock, title))
    if form == "svg":
        return flame_svg(told, clock, title)
    return f"{tame(title)}\n{plain_table(_HEADINGS, _lines(rows))}"


def _lines(rows: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            *(seconds_text(row[f"{clock}_{part}_s"]) for clock in CLOCKS for part in ("own", "total")),
            row["function"],
            place_text(row),
        ]
        for row in rows
    ]
