"""`partisan methods`: how often each method is called, how often it fails, how long it waits and runs."""

from __future__ import annotations

from typing import Any, Final

import click

from partisan_actors.api.metering import METRICS_SERVICE
from partisan_actors.cli.asking import Target, check_node, json_option, show_json, survey, target_options
from partisan_actors.cli.measured import method_rows, ordered, seconds_text, with_quantiles
from partisan_actors.cli.table import counted, show_table

__all__ = ["METHOD_HEADINGS", "METHOD_NAMES", "METHOD_SORTS", "method_line", "methods"]

METHOD_NAMES: Final = ("class", "method", "kind")
# What tables of methods can be sorted by, and the column that is meant.
METHOD_SORTS: Final = {
    "calls": "calls",
    "errors": "errors",
    "in-flight": "in_flight",
    "wait": "wait_p99_s",
    "run": "run_p99_s",
    "class": "class",
    "method": "method",
}
METHOD_HEADINGS: Final = (
    "calls",
    "errors",
    "in flight",
    "wait p50",
    "wait p99",
    "run p50",
    "run p95",
    "run p99",
    "nodes",
)


@click.command()
@click.option("--node", "node_name", metavar="NAME", help="What this node has counted only.")
@click.option("--class", "class_name", metavar="NAME", help="Methods of this class only.")
@click.option(
    "--sort", type=click.Choice(list(METHOD_SORTS)), default="calls", show_default=True, help="The most first."
)
@json_option
@target_options
def methods(target: Target, node_name: str | None, class_name: str | None, sort: str, as_json: bool) -> None:
    """How often each method is called, how often it fails, how long calls wait and run.

    Counted by the nodes on which the actors are, since those were started. `kind` is ask, tell or task. Half of the
    calls took no longer than p50, 95 % no longer than p95. Of a method that is called more than 200 times a second, not
    every call is timed.
    """
    found = survey(target, METRICS_SERVICE, "methods")
    check_node(found.rows, node_name)
    answered = [answer for answer in found.answered if node_name in (None, answer.name)]
    rows = [with_quantiles(row) for row in method_rows(answered) if class_name in (None, row["class"])]
    rows = ordered(rows, METHOD_SORTS[sort], names=METHOD_NAMES)
    if as_json:
        show_json({**found.facts(), "methods": rows})
        return
    calls = sum(row["calls"] for row in rows)
    click.echo(f"cluster {found.cluster}: {counted(len(rows), 'method')}, {counted(calls, 'call')}")
    show_table((*METHOD_NAMES, *METHOD_HEADINGS), [method_line(row) for row in rows], ("nodes", "run p95", "wait p50"))
    found.remark()


def method_line(row: dict[str, Any]) -> list[Any]:
    """The cells of one method."""
    times = ("wait_p50_s", "wait_p99_s", "run_p50_s", "run_p95_s", "run_p99_s")
    return [
        *(row[name] for name in (*METHOD_NAMES, "calls", "errors", "in_flight")),
        *(seconds_text(row[name]) for name in times),
        len(row["nodes"]),
    ]
