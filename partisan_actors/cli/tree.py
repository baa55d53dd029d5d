"""`partisan tree`: who has made whom, whose end ends whom, and who makes whom again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from partisan_actors.api.actor_rows import INSPECT, merge_rows
from partisan_actors.api.actor_tree import DETACHED, actor_tree
from partisan_actors.cli.asking import Target, check_node, json_option, show_json, survey, target_options
from partisan_actors.cli.table import STYLES, counted
from partisan_actors.cli.tame import tame

__all__ = ["lines_of", "tree"]

INDENT: Final = "  "
TIES_MAX: Final = 3


@click.command()
@click.option("--node", "node_name", metavar="NAME", help="What is owned by this node only.")
@click.option("--all", "with_ended", is_flag=True, help="Also actors that have ended.")
@json_option
@target_options
def tree(target: Target, node_name: str | None, with_ended: bool, as_json: bool) -> None:
    """Who has made whom, and what becomes of whom.

    Actors stand below the actor that has made them, or below the node that owns them: they end when that ends. Detached
    ones are nobody's. Of each it is told how it is, and who makes it again, how often, when its node goes down; and
    whose ends it hears of: links end it too, monitors do not.
    """
    found = survey(target, INSPECT, "all_actors")
    check_node(found.rows, node_name)
    rows = merge_rows((row for answer in found.answered for row in answer.value), {})
    if not with_ended:
        rows = [row for row in rows if row["state"] != "stopped"]
    roots = actor_tree(rows)
    if node_name is not None:
        roots = [root for root in roots if root["label"].partition("~")[0] == node_name]
    if as_json:
        show_json({**found.facts(), "roots": roots})
        return
    if sys.stdout.isatty():
        _show_rich(found.cluster, roots)
    else:
        click.echo(f"cluster {found.cluster}: {counted(sum(_size(root) for root in roots), 'actor')}")
        for depth, parts in lines_of(roots):
            click.echo(INDENT * depth + "  ".join(text for text, _ in parts))
    found.remark()


def lines_of(roots: list[dict[str, Any]]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Each line of the tree: how deep it stands, and its parts with their styles."""
    todo = [(0, root) for root in reversed(roots)]
    while todo:
        depth, each = todo.pop()
        yield depth, _actor(each) if each["kind"] == "actor" else _owner(each)
        todo += [(depth + 1, child) for child in reversed(each["children"])]


def _owner(root: Mapping[str, Any]) -> list[tuple[str, str]]:
    states = ", ".join(f"{number} {state}" for state, number in root["states"].items())
    what = "detached: nobody's end ends these" if root["kind"] == DETACHED else f"node {root['label']}"
    return [(what, "bold"), (f"({states})", "dim")]


def _actor(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    name = f"{row['class']} {row['name']!r}" if row["name"] else row["class"]
    parts = [(name, ""), (row["state"], STYLES.get(row["state"], "")), (f"on {row['node']}", "")]
    parts.append((row["supervision"], "dim"))
    if row["made_by"]:
        parts.append((f"made by {row['made_by']}", "dim"))
    for what in ("links", "monitors"):
        if row[what]:
            more = f" and {len(row[what]) - TIES_MAX} more" if len(row[what]) > TIES_MAX else ""
            parts.append((f"{what} {', '.join(row[what][:TIES_MAX])}{more}", "dim"))
    if row["reason"]:
        parts.append((row["reason"], "dim"))
    return [(tame(text), style) for text, style in (*parts, (row["id"], "dim"))]


def _size(root: Mapping[str, Any]) -> int:
    return int(sum(root["states"].values()))


def _show_rich(cluster: str, roots: list[dict[str, Any]]) -> None:
    from rich.console import Console  # only here: a script that reads our output need not wait for it
    from rich.text import Text
    from rich.tree import Tree

    above = [Tree(Text(f"cluster {cluster}: {counted(sum(_size(root) for root in roots), 'actor')}"))]
    for depth, parts in lines_of(roots):
        line = Text("  ").join(Text(text, style=style) for text, style in parts)
        del above[depth + 1 :]
        above.append(above[-1].add(line))
    Console().print(above[0])
