"""`partisan simulate`: the group of everything that runs clusters in virtual time."""

from __future__ import annotations

import os
import sys
from typing import Final

import click

from partisan_actors.cli.lazy import LazyGroup, Subcommand

__all__ = ["SUBCOMMANDS", "simulate"]

SUBCOMMANDS: Final = {
    "run": Subcommand("partisan_actors.cli.simulate.run", "run", "Run one cluster in virtual time and check it."),
    "swarm": Subcommand(
        "partisan_actors.cli.simulate.swarm",
        "swarm",
        "Run many clusters, each drawn from its seed: size, overlay, faults, workload.",
    ),
    "paper": Subcommand(
        "partisan_actors.cli.simulate.paper", "paper", "Run a published experiment again, and judge what comes out."
    ),
}


@click.group("simulate", cls=LazyGroup, subcommands=SUBCOMMANDS, invoke_without_command=True)
@click.pass_context
def simulate(ctx: click.Context) -> None:
    """Run clusters in virtual time: the real protocols over a simulated network, repeatable from a seed."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)  # where a strategy of the user's own may be, as for `python -m`
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
