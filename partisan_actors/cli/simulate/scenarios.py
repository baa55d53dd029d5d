"""Scenarios on the command line: the options that make one, the plan's file, and the line that repeats it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from partisan_actors.cli.plan import nested
from partisan_actors.errors import ConfigError
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.simulation.latency import LATENCIES
from partisan_actors.simulation.scenario import Scenario
from partisan_actors.simulation.stacks import BROADCASTS, Stacks

__all__ = [
    "command_line",
    "overlay_option",
    "scenario_of",
    "scenario_options",
    "within_option",
    "write_plan",
]

F = TypeVar("F", bound=Callable[..., Any])

PLAN_BYTES_MAX: Final = 16 * 1024**2
DEFAULT: Final = Scenario()


overlay_option = click.option(
    "--overlay-option", "overlay_options", multiple=True, callback=nested, metavar="K=V",
    help="An option of the overlay, such as active_max=4 or redial.first_s=0.5.",
)  # fmt: skip  # one option

within_option = click.option(
    "--within", type=click.FloatRange(0, 86_400), default=DEFAULT.within_s, show_default=True, metavar="SECONDS",
    help="How long the overlay may take to heal when the faults are over.",
)  # fmt: skip  # one option

_OPTIONS: Final = (
    click.option("--overlay", default="hyparview", show_default=True, metavar="NAME", help="Or package.module:Class."),
    overlay_option,
    click.option("--broadcast", type=click.Choice(BROADCASTS), default="plumtree", show_default=True),
    click.option("--nodes", type=click.IntRange(1), default=DEFAULT.nodes, show_default=True, help="To begin with."),
    click.option(
        "--seed", type=int, default=DEFAULT.seed, show_default=True, help="Everything random follows from it."
    ),
    click.option(
        "--plan",
        "plan_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="What is to go wrong, as JSON. [default: nothing]",
    ),
    click.option("--latency", default=DEFAULT.latency, show_default=True, metavar="MODEL", help=f"{LATENCIES}."),
    click.option(
        "--join-interval",
        type=float,
        default=DEFAULT.join_interval_s,
        show_default=True,
        metavar="SECONDS",
        help="Between two nodes that join; 0: all at once.",
    ),
    click.option(
        "--rate", type=float, default=DEFAULT.per_s, show_default=True, help="Broadcasts and writes per second."
    ),
    within_option,
    click.option(
        "--silent", is_flag=True, help="No connection tells that it broke: failures are for failure detectors to find."
    ),
)


def scenario_options(command: F) -> F:
    """Decorator: the options that `scenario_of` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def scenario_of(
    overlay: str,
    overlay_options: dict[str, Any],
    broadcast: str,
    nodes: int,
    seed: int,
    plan_file: Path | None,
    latency: str,
    join_interval: float,
    rate: float,
    within: float,
    silent: bool,
) -> Scenario:
    """The scenario that these options ask for. Raises ConfigError."""
    scenario = Scenario(
        stacks=Stacks(overlay, overlay_options, broadcast),
        nodes=nodes,
        seed=seed,
        latency=latency,
        join_interval_s=join_interval,
        per_s=rate,
        within_s=within,
        silent=silent,
    )
    return scenario if plan_file is None else _under(scenario, plan_file)


def _under(scenario: Scenario, file: Path) -> Scenario:
    """The scenario with the plan in a file. Raises ConfigError, which names the file and the place in it."""
    if file.stat().st_size > PLAN_BYTES_MAX:
        raise ConfigError("--plan", str(file), f"a file of at most {PLAN_BYTES_MAX} bytes")
    try:
        return scenario.with_plan(FaultPlan.from_json(file.read_bytes()))
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.field}", error.value, error.allowed) from error


def write_plan(file: Path, plan: FaultPlan) -> None:
    """Save it, in folders that are made for it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(plan.to_json())


def command_line(scenario: Scenario, plan_file: Path) -> str:
    """What to type to repeat `scenario`, whose plan is in `plan_file`. Options that have their default are left out."""
    words = ["partisan", "simulate", "run", "--overlay", scenario.stacks.overlay]
    for key, value in scenario.stacks.overlay_options.items():
        words += ["--overlay-option", f"{key}={json.dumps(value)}"]
    words += ["--nodes", str(scenario.nodes), "--seed", str(scenario.seed)]
    for option, value, default in (
        ("--broadcast", scenario.stacks.broadcast, DEFAULT.stacks.broadcast),
        ("--latency", scenario.latency, DEFAULT.latency),
        ("--join-interval", scenario.join_interval_s, DEFAULT.join_interval_s),
        ("--rate", scenario.per_s, DEFAULT.per_s),
        ("--within", scenario.within_s, DEFAULT.within_s),
    ):
        if value != default:
            words += [option, f"{value:g}" if isinstance(value, float) else str(value)]
    words += ["--silent"] if scenario.silent else []
    return shlex.join([*words, "--plan", str(plan_file)])
