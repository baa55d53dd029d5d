"""`partisan events` over a real cluster: what has happened, and what does while somebody watches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.programs import Programs
from tests.integration.shells import Shells


@pytest.mark.slow
def test_what_happens_is_seen_from_any_shell_also_when_the_node_that_was_asked_goes_down(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        first, address = shells.start("--name", "first")
        second, other = shells.start("--name", "second", "--join", address)

        following = shells.command("events", "-f", "--address", address)
        following.wait_for("node second has joined")
        third, _ = shells.start("--name", "third", "--join", other)
        following.wait_for("node third has joined")
        joined = shells.partisan("events", "--kind", "node.up", "--json", "--address", other)
        wrong = shells.partisan("events", "--kind", "weather", "--address", other)
        first.interrupt()
        first.wait()
        following.wait_for("node first has left")
        following.interrupt()
        assert following.wait() == 130

        old = shells.partisan("events", "--since", "1ns", "--address", other)
        for nodes in (second, third):
            nodes.interrupt()
            nodes.wait()

    rows = [json.loads(line) for line in joined.stdout.splitlines()]
    assert [row["about"] for row in rows if "first" in row["seen_by"]] == ["second", "third"]
    assert {row["kind"] for row in rows} == {"node.up"}
    assert wrong.returncode == 2 and "node.down" in wrong.stderr
    assert old.returncode == 0 and old.stdout == ""


CRASH = """
    import os, sys
    import partisan_actors as pa

    @pa.actor(isolation="process")
    class Crashing:
        def crash(self):
            os._exit(3)

    with pa.init(sys.argv[1]):
        try:
            Crashing.remote().crash.remote().result(60)
        except pa.PartisanError:
            print("crashed", flush=True)
"""


@pytest.mark.slow
def test_a_process_that_crashes_is_told_by_the_node_that_has_it(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        nodes, address = shells.start("--name", "n")
        work = shells.script(CRASH, address)
        work.wait_for("crashed")
        work.wait()

        told = shells.partisan("events", "--kind", "process", "--json", "--address", address)
        nodes.interrupt()
        nodes.wait()

    (row,) = [json.loads(line) for line in told.stdout.splitlines()]
    assert (row["kind"], row["about"], row["node"]) == ("process.crashed", "Crashing", "n")
    assert "exit code 3" in row["text"] and row["severity"] == "error"
