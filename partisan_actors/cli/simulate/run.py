"""`partisan simulate run`: one cluster in virtual time, whether its checks held, and what it cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.simulate.scenarios import scenario_of, scenario_options
from partisan_actors.cli.table import show_table
from partisan_actors.simulation.checkers import TraceHash
from partisan_actors.simulation.scenario import Outcome, Scenario, play

__all__ = ["run"]


@click.command("run")
@scenario_options
@click.option(
    "--trace",
    "trace_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write every event to this file, one a line.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def run(trace_file: Path | None, as_json: bool, **options: Any) -> ExitCode:
    """Run one cluster in virtual time and check it.

    First nodes join and faults happen, and safety is checked after every event; then the faults stop, and the overlay
    has to become whole. The same options give the same run, event by event. Exit status: 1 when a check failed.
    """
    scenario = scenario_of(**options)
    if trace_file is not None and not trace_file.parent.is_dir():
        raise Failure(f"cannot write {trace_file}: there is no folder {trace_file.parent}", ExitCode.USAGE)
    trace = TraceHash()
    outcome = play(scenario, on_event=trace) if trace_file is None else _traced(scenario, trace, trace_file)
    if as_json:
        click.echo(json.dumps({**outcome.to_data(), "trace_hash": trace.hexdigest, "events": trace.events}, indent=2))
    else:
        _show(scenario, outcome, trace)
    return ExitCode.OK if outcome.failure is None else ExitCode.OTHER


def _traced(scenario: Scenario, trace: TraceHash, place: Path) -> Outcome:
    """Play, and write every event into a file. Raises Failure when that cannot be written, at once."""
    try:
        with place.open("w", encoding="utf-8") as file:

            def on_event(event: str) -> None:
                trace(event)
                try:
                    file.write(f"{event}\n")
                except OSError as error:
                    raise _CannotWrite from error  # which is no fault of a protocol

            return play(scenario, on_event=on_event)
    except (OSError, _CannotWrite) as error:
        cause = error.__cause__ or error
        raise Failure(f"cannot write {place}: {getattr(cause, 'strerror', cause)}", ExitCode.USAGE) from error


class _CannotWrite(BaseException):
    """No exception of a protocol, which would be a failed check."""


def _show(scenario: Scenario, outcome: Outcome, trace: TraceHash) -> None:
    healed = f"{outcome.healed_s:g} s after the faults" if outcome.healed_s is not None else "no"
    rows = [
        ("cluster", f"{scenario.stacks.overlay} with {scenario.stacks.broadcast}, {scenario.nodes} nodes"),
        ("seed", str(outcome.seed)),
        ("faults", f"{len(scenario.plan.operations)} until {scenario.plan.end_s:g} s"),
        ("ended", f"at {outcome.now_s:g} s with {outcome.nodes_up} nodes up"),
        ("connected", "yes" if outcome.connected else f"no: {outcome.pieces} pieces"),
        ("symmetric", "yes" if not outcome.asymmetric else f"no: {outcome.asymmetric} one-sided links"),
        ("whole again", healed),
        ("neighbours", f"{outcome.mean_degree:.2f} on average"),
        ("broadcasts", f"{outcome.broadcasts} by users, {outcome.deliveries} deliveries"),
        ("writes", str(outcome.writes)),
        ("lost", f"{outcome.lost} messages to faults"),
        ("trace", f"{trace.hexdigest} of {trace.events} events"),
    ]
    show_table(("run", ""), rows)
    click.echo()
    show_table(("message", "sent"), list(outcome.messages.items()))
    click.echo()
    click.echo("every check held" if outcome.failure is None else f"FAILED: {outcome.failure}")
