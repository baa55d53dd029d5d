"""A restartable actor in real processes that are killed: its creator, its guardians one after the other, its hosts."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.actors.restart import GUARDIANS, rendezvous
from partisan_actors.ids import NodeId
from tests.integration.programs import Programs, is_gone, wait_until

CREATOR = """
    import sys
    import time
    import partisan_actors as pa

    @pa.actor(name="phoenix", lifetime="detached", max_restarts=-1, placement="spread")
    class Phoenix:
        def __init__(self):
            self.count = 0

        def add(self):
            self.count += 1
            return self.count

    if __name__ == "__main__":
        with pa.init(address=sys.argv[1], name="creator"):
            print("counts", pa.get(Phoenix.remote().add.remote(), timeout=60), flush=True)
            time.sleep(600)
"""
PATIENCE_S = 120.0


def keepers(session: pa.Session) -> list[str]:
    """The workers that are up and keep the record of the actor; [] when one of them does not answer now."""
    system = session.runtime.system

    async def ask() -> list[str]:
        live = [each.node for each in system.node.directory.live() if each.hosts_actors]
        rows = await asyncio.gather(*(system.request(node, "inspect", "status", timeout_s=30) for node in live))
        return [node.name for node, row in zip(live, rows, strict=True) if row["guarded"]]

    try:
        return asyncio.run_coroutine_threadsafe(ask(), system.loop).result(60)
    except pa.PartisanError:
        return []


def settled(session: pa.Session) -> list[str]:
    """The guardians in the order in which they would act, once there are as many as there are to be."""

    def enough() -> list[str]:
        found = keepers(session)
        return found if len(found) == GUARDIANS else []

    names = wait_until(enough, "the actor to have its guardians", PATIENCE_S)
    nodes = {row["name"]: row for row in pa.nodes()}
    ids = [NodeId(row["name"], int(row["id"].partition("~")[2], 16)) for name, row in nodes.items() if name in names]
    return [node.name for node in rendezvous(str(pa.get_actor("phoenix")._location.actor), ids)]


def answer(handle: Any) -> int | None:
    """What the actor has counted to; None while it cannot be reached."""
    try:
        return int(pa.get(handle.add.remote(), timeout=60))
    except (pa.ActorUnavailable, pa.NodeDown, pa.CallTimeout):
        return None


def kill(name: str) -> None:
    pid = next(row["pid"] for row in pa.nodes() if row["name"] == name)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid), f"{name} to be gone")


def host_of(session: pa.Session) -> str:
    rows = pa.list_actors(name="phoenix", state="alive")
    return str(rows[0]["node"]) if len(rows) == 1 else ""


@pytest.mark.slow
def test_an_actor_outlives_its_creator_and_guardian_after_guardian(programs: Programs) -> None:
    with pa.init(workers=6, name="watcher") as session:
        creator = programs.start(CREATOR, session.address)
        creator.wait_for("counts 1", PATIENCE_S)
        phoenix = wait_until(lambda: pa.get_actor("phoenix", timeout=60), "the actor to be known here")
        settled(session)

        creator.send(signal.SIGKILL)
        creator.wait()

        assert wait_until(lambda: answer(phoenix), "an answer without the creator", PATIENCE_S) == 2

        first = settled(session)[0]
        kill(first)
        others = settled(session)  # the host has found another one
        assert first not in others
        assert wait_until(lambda: answer(phoenix), "an answer without the first guardian", PATIENCE_S) == 3

        host = wait_until(lambda: host_of(session), "its host to be told")
        kill(host)
        assert wait_until(lambda: answer(phoenix), "an answer from another host", PATIENCE_S) == 1

        # The first guardian and the host at once: then the second one acts.
        host = wait_until(lambda: host_of(session), "its next host to be told")
        first = settled(session)[0]
        kill(first)
        kill(host)
        assert wait_until(lambda: answer(phoenix), "an answer by the second guardian", PATIENCE_S) == 1
        assert wait_until(lambda: host_of(session), "its last host to be told") not in (host, first)
        pa.kill(phoenix)
