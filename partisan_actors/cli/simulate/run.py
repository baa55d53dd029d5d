"""`partisan simulate run`: one cluster in virtual time, its checks, and what it cost."""

from __future__ import annotations

import json
from typing import Any

import click

from partisan_actors.ids import NodeId
from partisan_actors.simulation.checkers import CheckFailed, check_connected, check_symmetric, eventually, mean_degree
from partisan_actors.simulation.machines import Simulation
from partisan_actors.simulation.stacks import Stacks

__all__ = ["run"]


@click.command("run")
@click.option("--overlay", default="hyparview", show_default=True, help="The membership strategy, by name.")
@click.option("--nodes", type=click.IntRange(1), default=50, show_default=True, help="Nodes to begin with.")
@click.option("--seed", type=int, default=1, show_default=True, help="Everything random follows from it.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def run(overlay: str, nodes: int, seed: int, as_json: bool) -> None:
    """Run one cluster in virtual time and check it."""
    simulation = Simulation(seed)
    names = [NodeId(f"n{number}", 1) for number in range(nodes)]
    simulation.grow(names, Stacks(overlay), contact=names[0])
    try:
        took_s = eventually(simulation, check_connected, check_symmetric, within_s=300.0)
    except CheckFailed as error:
        raise click.ClickException(str(error)) from error
    found: dict[str, Any] = {"seed": seed, "nodes": nodes, "took_s": took_s, "mean_degree": mean_degree(simulation)}
    click.echo(json.dumps(found) if as_json else "\n".join(f"{key}: {value}" for key, value in found.items()))
