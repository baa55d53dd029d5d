"""`partisan simulate swarm`: many clusters, each drawn from its seed; what fails is shrunk and made repeatable."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.progress import steps
from partisan_actors.cli.simulate.scenarios import command_line, overlay_option, within_option, write_plan
from partisan_actors.cli.table import counted
from partisan_actors.simulation.processes import Pool
from partisan_actors.simulation.swarm import Swarm, Verdict, judge_seed

__all__ = ["swarm"]

# So many seeds are handed out ahead of each job, so that none waits and an interruption does not take long.
AHEAD: Final = 2
DEFAULT: Final = Swarm()


@dataclass
class Tally:
    """What came of the seeds so far."""

    runs: int = 0
    steps: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    situations: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False


@click.command("swarm")
@click.option("--seeds", type=click.IntRange(1), help="How many runs. [default: 100, or as many as fit in --minutes]")
@click.option("--first-seed", type=int, default=1, show_default=True, help="Seeds count up from here.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Begin no run after so long.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes. [default: one a core]")
@click.option("--overlay", "overlays", multiple=True, metavar="NAME", help="To draw from; may be repeated.")
@overlay_option
@click.option("--nodes-max", type=click.IntRange(2, 1000), default=DEFAULT.nodes_max, show_default=True)
@within_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("swarm"),
    show_default=True,
    help="Where the plans of failures go.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, and no progress.")
def swarm(
    seeds: int | None,
    first_seed: int,
    minutes: float | None,
    jobs: int | None,
    overlays: tuple[str, ...],
    overlay_options: dict[str, Any],
    nodes_max: int,
    within: float,
    out: Path,
    as_json: bool,
) -> ExitCode:
    """Run many clusters, each drawn from its seed: size, overlay, faults, workload.

    Of a failure the smallest plan found is saved, and the command that repeats it is printed. Exit status: 1 when a
    run failed. Ctrl-C ends it, with the summary of what was done.
    """
    if minutes is not None and math.isnan(minutes):
        raise Failure("--minutes nan is not valid: expected a number of minutes, more than 0", ExitCode.USAGE)
    drawn = Swarm(overlays or DEFAULT.overlays, overlay_options, nodes_max, within)
    drawn.check()
    _check_place(out)
    count = seeds if seeds is not None else sys.maxsize if minutes is not None else 100
    deadline = time.monotonic() + minutes * 60 if minutes is not None else None
    tally = Tally()
    began = time.monotonic()
    every = range(first_seed, first_seed + count)
    try:
        with steps("runs", count if deadline is None else None, quiet=as_json) as progress:
            for verdict in _verdicts(drawn, every, deadline, jobs or os.cpu_count() or 1):
                _take(tally, verdict, out)
                progress.advance(counted(len(tally.failures), "failure"))
    except KeyboardInterrupt:
        tally.interrupted = True
    _show(tally, time.monotonic() - began, as_json)
    if tally.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.OTHER if tally.failures else ExitCode.OK


def _check_place(out: Path) -> None:
    """Raises Failure where no plan could be written, before minutes are spent on finding one."""
    try:
        there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    except OSError as error:  # it cannot even be looked for
        raise Failure(f"cannot write into {out}: {error.strerror}", ExitCode.USAGE) from error
    if not there.is_dir() or not os.access(there, os.W_OK):
        why = "may not be written into" if there.is_dir() else "is no folder"
        raise Failure(f"cannot write into {out}: {there} {why}", ExitCode.USAGE)


def _verdicts(drawn: Swarm, seeds: range, deadline: float | None, jobs: int) -> Iterator[Verdict]:
    """In the order in which they come. Closing it ends the processes."""
    left = iter(seeds)
    if jobs == 1:
        for seed in left:
            if deadline is not None and time.monotonic() >= deadline:
                return
            yield judge_seed(drawn, seed)
        return
    pool = Pool(min(jobs, len(seeds)))
    running: set[concurrent.futures.Future[Verdict]] = set()  # verdicts come in any order anyway
    try:
        while True:
            while len(running) < jobs * AHEAD and (deadline is None or time.monotonic() < deadline):
                following = next(left, None)
                if following is None:
                    break
                running.add(pool.submit(judge_seed, drawn, following))
            if not running:
                return
            done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for each in sorted(done, key=_seed_of):
                yield each.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise click.ClickException("a process of the swarm was killed, perhaps for want of memory: --jobs 1") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _seed_of(done: concurrent.futures.Future[Verdict]) -> int:
    return done.result().seed


def _take(tally: Tally, verdict: Verdict, out: Path) -> None:
    tally.runs += 1
    tally.steps += verdict.outcome.steps
    tally.situations.update(verdict.situations)
    if verdict.smallest is None:
        return
    file = out / f"{verdict.smallest.stacks.overlay.replace(':', '.')}-{verdict.seed}.json"
    try:
        write_plan(file, verdict.smallest.plan)
    except OSError as error:
        # It may have taken an hour to find.
        click.echo(
            f"cannot write {file} ({error.strerror}), which would be:\n{verdict.smallest.plan.to_json()}", err=True
        )
    failure = {
        "seed": verdict.seed,
        "failure": verdict.failure,
        "first_failure": verdict.outcome.failure,
        "operations": len(verdict.smallest.plan.operations),
        "tries": verdict.tries,
        "is_minimal": verdict.is_minimal,
        "plan": str(file),
        "command": command_line(verdict.smallest, file),
    }
    tally.failures.append(failure)
    click.echo(f"FAILED: {failure['failure']}\n  repeat: {failure['command']}", err=True)


def _show(tally: Tally, seconds: float, as_json: bool) -> None:
    if as_json:
        data = {
            "runs": tally.runs,
            "steps": tally.steps,
            "seconds": round(seconds, 3),
            "interrupted": tally.interrupted,
            "failures": tally.failures,
            "situations": dict(sorted(tally.situations.items())),
        }
        click.echo(json.dumps(data, indent=2))
        return
    ended = ", interrupted" if tally.interrupted else ""
    click.echo(f"{counted(tally.runs, 'run')} with {tally.steps} steps in {seconds:.1f} s{ended}")
    click.echo(f"{counted(len(tally.failures), 'failure')}" + (":" if tally.failures else ""))
    for failure in tally.failures:
        click.echo(f"  {failure['failure']}\n    {failure['command']}")
