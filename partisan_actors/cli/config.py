"""`partisan config`: the settings of each node, where they come from, and how those are changed that may be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import click

from partisan_actors.api.inspection import LIVE
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.api.settings import CHANGEABLE, SETTINGS
from partisan_actors.cli.asker import asker
from partisan_actors.cli.asking import Survey, Target, ask, check_node, json_option, show_json, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.subcommands import is_alone
from partisan_actors.cli.table import counted, show_table
from partisan_actors.cli.tame import tame

__all__ = ["config", "in_lines", "refusals"]

VALUE_MAX: Final = 80


@click.group("config", invoke_without_command=True)
@click.option("--node", "node_name", metavar="NAME", help="Those of this node only.")
@click.option("--given", is_flag=True, help="Without those that are as they are by default.")
@json_option
@target_options
@click.pass_context
def config(context: click.Context, target: Target, node_name: str | None, given: bool, as_json: bool) -> None:
    """The settings of each node, and where each comes from.

    From an option of `partisan start`, an environment variable, a file, the cluster that was joined, or the default;
    `given` is what a program gave to init, or a node to the processes it started. Secrets are not shown.
    """
    if not is_alone(context):
        return
    found = _survey(target, node_name, "effective")
    rows = [{"node": answer.name, **row} for answer in found.answered for row in answer.value]
    if given:
        rows = [row for row in rows if row["source"] != "default"]
    if as_json:
        show_json({**found.facts(), "config": rows})
        return
    click.echo(f"cluster {found.cluster}: {counted(len(found.answered), 'node')}")
    show_table(("setting", "value", "from", "nodes"), in_lines(rows, len(found.answered)), ("from",))
    click.echo(f"\nwhile nodes run, `partisan config set` changes {', '.join(CHANGEABLE)}")
    found.remark()


@config.command("set")
@click.argument("name")
@click.argument("value")
@click.option("--node", "node_name", metavar="NODE", help="On this node only.")
@json_option
@target_options
def set_(target: Target, name: str, value: str, node_name: str | None, as_json: bool) -> None:
    """Change the setting NAME to VALUE on all nodes that run, or on one.

    NAME is log_level, log_level.LOGGER, concurrency.CLASS (how many calls each actor of a class that runs has in
    progress at most), tracing.level, tracing.sampling (the share of traces, from 0 to 1) or
    tracing.traces_per_second (a number, or none). It lasts until the node ends; processes that it starts later have it
    as well, other nodes that join later do not. Each node logs who has changed what.
    """
    found = _survey(target, node_name, "change", name, value, asker())
    if as_json:
        show_json({**found.facts(), "changed": [{"node": answer.name, **answer.value} for answer in found.answered]})
    else:
        for answer in found.answered:
            click.echo(tame(f"{answer.name}: {name} was {answer.value['before']}, and is {answer.value['now']}"))
    refused = [answer for answer in found.answers if answer.why is not None and not answer.is_silent]
    if refused:
        code = ExitCode.OTHER if found.answered else ExitCode.USAGE
        raise Failure(refusals(refused), code)
    if not as_json:
        found.remark()


def refusals(refused: Sequence[Answer]) -> str:
    """Why nodes have refused something: those that say the same together, by their names."""
    same: dict[str, list[str]] = {}
    for answer in refused:  # what a node says of itself is the same as what others say of themselves
        same.setdefault(str(answer.why).replace(f"node {answer.name}", "the node"), []).append(answer.name)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in same.items())


def _survey(target: Target, node_name: str | None, method: str, *args: Any) -> Survey:
    async def question(observer: Observer) -> Survey:
        rows = [row for row in await observer.members() if row["state"] in LIVE]
        check_node(rows, node_name, state="up")
        chosen = [row for row in rows if node_name in (None, row["name"])]
        return Survey(observer.cluster, rows, await observer.ask_all(chosen, SETTINGS, method, *args))

    return ask(target, question)


def in_lines(rows: Sequence[dict[str, Any]], nodes: int) -> list[list[str]]:
    """The cells of a table in which nodes that have the same value from the same source share a line."""
    same: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        text = row["value"] if isinstance(row["value"], str) else json.dumps(row["value"])
        text = text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 3] + "..."
        same.setdefault((row["name"], text, row["source"]), []).append(row["node"])
    order = {name: place for place, name in enumerate(dict.fromkeys(name for name, _, _ in same))}
    return [
        [name, text, source, "all" if len(names) == nodes else ", ".join(names)]
        for (name, text, source), names in sorted(same.items(), key=lambda each: order[each[0][0]])
    ]
