"""`partisan overlay`: who is whose neighbour, and the tree that broadcasts take, as every node says itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from partisan_actors.api.inspection import INSPECT
from partisan_actors.api.observer import Answer
from partisan_actors.cli.asking import Target, check_node, json_option, show_json, survey, target_options
from partisan_actors.cli.dot import overlay_dot, tree_dot
from partisan_actors.cli.table import counted, show_table

__all__ = ["overlay"]


@click.command()
@click.option("--tree", "root", metavar="NODE", help="Show the broadcast tree of that node instead.")
@click.option("--dot", "as_dot", is_flag=True, help="Print it for Graphviz: partisan overlay --dot | dot -Tsvg.")
@json_option
@target_options
def overlay(target: Target, as_json: bool, root: str | None, as_dot: bool) -> None:
    """Who is whose active and passive neighbour.

    A node keeps connections to its active neighbours, and knows its passive ones as replacements. Links that only one
    end speaks of are counted: while nodes come and go there may be some, and at rest there are none.

    With --tree, whom each node passes broadcasts of NODE on to (eager) and whom it only announces them to (lazy). The
    eager links of all nodes are a tree once something was broadcast and the overlay has come to rest.
    """
    if as_dot and as_json:
        raise click.UsageError("--dot and --json exclude each other")
    if root is not None:
        _show_tree(target, root, as_json, as_dot)
        return
    found = survey(target, INSPECT, "overlay")
    loose = one_sided(found.answered)
    if as_json:
        nodes = [_facts(answer) for answer in found.answered]
        show_json({**found.facts(), "one_sided": [list(link) for link in loose], "nodes": nodes})
        return
    if as_dot:
        sides = {answer.name: _sides(answer) for answer in found.answered}
        active, passive = ({name: both[side] for name, both in sides.items()} for side in (0, 1))
        click.echo(overlay_dot(found.cluster, active, passive))
        found.remark()
        return
    kinds = ", ".join(sorted({answer.row["overlay"] for answer in found.answers}))
    links = f"{counted(len(loose), 'one-sided link')}"
    click.echo(f"cluster {found.cluster}: overlay {kinds}, {counted(len(found.answers), 'node')} up, {links}")
    rows = [_line(answer) for answer in found.answers]
    show_table(("node", "active", "passive"), rows)
    found.remark()


def one_sided(answered: Sequence[Answer]) -> list[tuple[str, str]]:
    """The links whose other end, asked too, does not have them; as (who has it, who has not)."""
    near = {answer.name: frozenset(answer.value["neighbours"]) for answer in answered}
    return sorted((one, other) for one in near for other in near[one] if other in near and one not in near[other])


def _show_tree(target: Target, root: str, as_json: bool, as_dot: bool) -> None:
    found = survey(target, INSPECT, "tree", root)
    check_node(found.rows, root)
    links = {answer.name: answer.value for answer in found.answered}
    if as_json:
        nodes = [{"name": name, **split(links[name])} for name in links]
        show_json({**found.facts(), "root": root, "nodes": nodes})
        return
    if as_dot:
        eager, lazy = ({name: split(links[name])[kind] for name in links} for kind in ("eager", "lazy"))
        click.echo(tree_dot(root, eager, lazy))
        found.remark()
        return
    edges = {frozenset((name, other)) for name in links for other in split(links[name])["eager"]}
    click.echo(f"cluster {found.cluster}: broadcast tree of {root}, {counted(len(edges), 'eager link')}")
    rows = [
        [answer.name, *(" ".join(some) or "-" for some in split(answer.value).values())]
        if answer.why is None
        else [answer.name, "no answer", ""]
        for answer in found.answers
    ]
    show_table(("node", "eager", "lazy"), rows)
    found.remark()


def split(links: dict[str, bool]) -> dict[str, list[str]]:
    """The eager and the lazy neighbours among the links of a node, by name."""
    return {
        "eager": sorted(name for name, is_eager in links.items() if is_eager),
        "lazy": sorted(name for name, is_eager in links.items() if not is_eager),
    }


def _sides(answer: Answer) -> tuple[list[str], list[str]]:
    return sorted(answer.value["neighbours"]), sorted(answer.value["views"].get("passive", ()))


def _facts(answer: Answer) -> dict[str, Any]:
    active, passive = _sides(answer)
    return {
        "name": answer.name,
        "overlay": answer.row["overlay"],
        "active": active,
        "passive": passive,
        "views": answer.value["views"],
    }


def _line(answer: Answer) -> list[str]:
    if answer.why is not None:
        return [answer.name, "no answer", ""]
    active, passive = _sides(answer)
    return [answer.name, " ".join(active) or "-", " ".join(passive) or "-"]
