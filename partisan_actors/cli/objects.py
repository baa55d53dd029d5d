"""`partisan objects`: which values are kept, where, for whom, and which for nobody."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import click

from partisan_actors.api.object_rows import OBJECT_ROWS
from partisan_actors.cli.asking import Survey, Target, check_node, json_option, show_json, survey, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.measured import bytes_text, ordered
from partisan_actors.cli.status import duration
from partisan_actors.cli.table import counted, show_table
from partisan_actors.cli.tame import tame

__all__ = ["for_nobody", "objects"]

_SORTS: Final = {"size": "size_bytes", "age": "age_s", "handles": "handles", "owner": "owner"}
_STORE: Final = ("bytes_used", "bytes_max", "shared_bytes", "mapped_bytes", "spilled", "restored")


@click.command()
@click.argument("ref", required=False)
@click.option("--node", "node_name", metavar="NAME", help="Those that this node owns.")
@click.option("--leaks", is_flag=True, help="Those that are kept although nobody holds them.")
@click.option("--sort", type=click.Choice(list(_SORTS)), default="size", show_default=True, help="The most first.")
@json_option
@target_options
def objects(target: Target, ref: str | None, node_name: str | None, leaks: bool, sort: str, as_json: bool) -> None:
    """Which objects there are, where their values are, and who holds them.

    Each node tells of what it owns and others may hold, and of what is large; of the rest nobody keeps account.
    `handles` is how many references there are in the owner's process, `held by` which nodes have borrowed it.

    With REF, the id of an object or the end of that: who holds it, in each of these processes.
    """
    found = survey(target, OBJECT_ROWS, "all")
    check_node(found.rows, node_name)
    rows = [{"node": answer.name, **row} for answer in found.answered for row in answer.value["rows"]]
    if ref is not None:
        _show_one(target, found, _meant([row["id"] for row in rows], ref), as_json=as_json)
        return
    owned = [row for row in rows if row["role"] == "owner" and node_name in (None, row["node"])]
    if leaks:
        unheld = for_nobody(rows, {answer.name for answer in found.answered})
        owned = [row for row in owned if row["id"] in unheld]
    owned = ordered(owned, _SORTS[sort], names=("owner", "id"))
    stores = [{"node": answer.name, **{name: answer.value[name] for name in _STORE}} for answer in found.answered]
    left_out = sum(answer.value["left_out"] for answer in found.answered)
    if as_json:
        show_json({**found.facts(), "left_out": left_out, "stores": stores, "objects": owned})
        return
    _show(found, stores, owned, "kept for nobody" if leaks else "")
    if left_out:
        click.echo(f"{left_out} smaller ones are left out")
    found.remark()


def for_nobody(rows: Sequence[Mapping[str, Any]], answered: Collection[str]) -> set[str]:
    """The ids of objects that are kept although no process has a handle, as far as the nodes that `answered` tell.

    One that is on its way to somebody is not among them, nor one that a node is said to hold that did not answer.
    """
    borrowed = {(row["node"], row["id"]) for row in rows if row["role"] == "borrower" and row["handles"]}
    return {
        row["id"]
        for row in rows
        if row["role"] == "owner"
        and row["state"] != "pending"
        and not row["handles"]
        and not row["on_the_way_s"]
        and not any(node not in answered or (node, row["id"]) in borrowed for node in row["held_by"])
    }


def _meant(ids: Sequence[str], ref: str) -> str:
    meant = sorted({each for each in ids if each == ref}) or sorted({each for each in ids if each.endswith(ref)})
    if not meant:
        text = (
            f"no object {ref!r} is known; `partisan objects` lists those there are, but not small ones nobody else has"
        )
        raise Failure(text, ExitCode.OTHER)
    if len(meant) > 1:
        raise Failure(f"{len(meant)} objects are meant by {ref!r}, among them {', '.join(meant[:5])}", ExitCode.USAGE)
    return meant[0]


def _show_one(target: Target, before: Survey, identity: str, *, as_json: bool) -> None:
    found = survey(target, OBJECT_ROWS, "one", identity)
    rows = [{"node": answer.name, **answer.value} for answer in found.answered if answer.value is not None]
    if as_json:
        show_json({**found.facts(), "id": identity, "holders": rows})
        return
    click.echo(identity)
    for row in sorted(rows, key=lambda row: (row["role"] != "owner", row["node"])):
        where = f" in {row['where']}" if row["where"] else ""
        size = f"{bytes_text(row['size_bytes'])}, " if row["size_bytes"] else ""
        verb = "owns it" if row["role"] == "owner" else "has borrowed it"
        click.echo(f"  node {row['node']} {verb}: {size}{row['state']}{where}; {_why(row)}")
        for referrer in row["referrers"]:
            click.echo(f"    {tame(referrer)}")
        unnamed = row["handles"] - len(row["referrers"])
        if unnamed > 0:
            click.echo(f"    {counted(unnamed, 'reference')} that cannot be named, such as variables of what runs")
    if not rows:
        click.echo("  it is gone by now")
    found.remark()


def _why(row: Mapping[str, Any]) -> str:
    """What keeps it."""
    reasons = [counted(row["handles"], "handle")] if row["handles"] else []
    if row["held_by"]:
        reasons.append(f"held by {', '.join(row['held_by'])}")
    if row["on_the_way_s"]:
        reasons.append(f"on its way, and kept for that for {row['on_the_way_s']:.0f} s")
    if row["role"] == "borrower" and not row["handles"]:
        reasons.append("kept for a moment, in case that it comes again")
    return ", ".join(reasons) or "kept for nobody"


def _show(found: Survey, stores: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], what: str) -> None:
    size = bytes_text(sum(row["size_bytes"] for row in rows))
    click.echo(f"cluster {found.cluster}: {counted(len(rows), 'object')}{f' {what}' if what else ''}, {size}")
    if rows:
        headings = ("object", "owner", "size", "state", "where", "handles", "held by", "on its way", "age")
        show_table(headings, [_line(row) for row in rows])
    click.echo("")
    show_table(
        ("node", "in memory", "of", "shared", "mapped from others", "written to disk", "read again"),
        [
            [store["node"], *(bytes_text(store[name]) for name in _STORE[:4]), store["spilled"], store["restored"]]
            for store in stores
        ],
    )


def _line(row: Mapping[str, Any]) -> list[Any]:
    return [
        row["id"],
        row["owner"],
        bytes_text(row["size_bytes"]) if row["size_bytes"] else "",
        row["state"],
        f"{row['where']}{', pinned' if row['is_pinned'] else ''}",
        row["handles"],
        ", ".join(row["held_by"]),
        f"{row['on_the_way_s']:.0f} s" if row["on_the_way_s"] else "",
        duration(row["age_s"]) if row["age_s"] is not None else "",
    ]
