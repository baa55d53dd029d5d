"""Actors as the nodes of a cluster tell of them, put together; and the one that somebody at a shell means."""

from __future__ import annotations

from typing import Any

from partisan_actors.api.actor_rows import INSPECT, merge_rows
from partisan_actors.api.inspection import LIVE
from partisan_actors.api.observer import Observer
from partisan_actors.cli.asking import Survey
from partisan_actors.cli.failure import ExitCode, Failure

__all__ = ["find_actor", "find_node_or_actor", "rows_of", "the_one"]


def rows_of(found: Survey, wanted: dict[str, str]) -> list[dict[str, Any]]:
    """One row for each actor that the answers of `all_actors` tell of, and that has everything `wanted` has."""
    return merge_rows((row for answer in found.answered for row in answer.value), wanted)


def the_one(rows: list[dict[str, Any]], which: str) -> dict[str, Any]:
    """The row that is meant: by its id, its name, or the end of its id. Raises Failure when none is, or several are."""
    for meant in (
        [row for row in rows if which in (row["id"], row["name"])],
        [row for row in rows if row["id"].endswith(which)],
    ):
        living = [row for row in meant if row["state"] != "stopped"] or meant
        if len(living) == 1:
            return living[0]
        if living:
            listed = ", ".join(row["id"] for row in living[:5])
            raise Failure(f"{len(living)} actors are meant by {which!r}, among them {listed}", ExitCode.USAGE)
    raise Failure(f"no actor {which!r} is known; `partisan actors --all` lists those there are", ExitCode.OTHER)


async def find_actor(observer: Observer, which: str) -> tuple[Survey, dict[str, Any]]:
    """Ask all nodes, the row of the actor that is meant, and who answered. Raises Failure."""
    rows = await observer.members()
    live = [row for row in rows if row["state"] in LIVE]
    found = Survey(observer.cluster, rows, await observer.ask_all(live, INSPECT, "all_actors"))
    return found, the_one(rows_of(found, {}), which)


async def find_node_or_actor(
    observer: Observer, which: str
) -> tuple[dict[str, Any], dict[str, Any] | None, list[dict[str, Any]]]:
    """The row of the node that has that name or id; else of the one on which the actor is that is meant, and its own.

    With these, in the second case, the rows of all actors. A node that is taken for down is found, too: one whose loop
    is stuck is, and is what somebody wants to see. Raises Failure.
    """
    members = await observer.members()
    node = next((row for row in members if which in (row["name"], row["id"]) and row["state"] != "left"), None)
    if node is not None:
        return node, None, []
    live = [row for row in members if row["state"] in LIVE]
    found = Survey(observer.cluster, members, await observer.ask_all(live, INSPECT, "all_actors"))
    actors = rows_of(found, {})
    actor = the_one(actors, which)
    if actor["state"] == "stopped":
        raise Failure(f"{actor['class']} {actor['id']} has ended", ExitCode.OTHER)
    host = next((row for row in live if row["name"] == actor["node"]), None)
    if host is None:
        raise Failure(f"{actor['class']} {actor['id']} is {actor['state']}, and on no node now", ExitCode.OTHER)
    return host, actor, actors
