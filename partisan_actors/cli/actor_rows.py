"""Actors as the nodes of a cluster tell of them, put together; and the one that somebody at a shell means."""

from __future__ import annotations

from typing import Any

from partisan_actors.api.actor_rows import INSPECT, merge_rows
from partisan_actors.api.inspection import LIVE
from partisan_actors.api.observer import Observer
from partisan_actors.cli.asking import Survey
from partisan_actors.cli.failure import ExitCode, Failure

__all__ = ["find_actor", "rows_of", "the_one"]


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
