"""Membership changed while programs run, from inside and from outside; overlays and data directories by command."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.programs import ROOT, Programs, wait_until
from tests.integration.shells import Shells

PATH: Final = os.pathsep.join([str(ROOT), str(ROOT / "examples")])

SCRIPT: Final = """
    import asyncio, sys, time
    import partisan_actors as pa

    @pa.actor
    class Echo:
        def back(self, value):
            return value

    def up():
        return sorted(row["name"] for row in pa.nodes() if row["state"] == "up")

    def until(names):
        deadline = time.monotonic() + 30
        while up() != names:
            assert time.monotonic() < deadline, up()
            time.sleep(0.01)

    def main():
        address, own = sys.argv[1:]
        with pa.init(address=address, name="script", hosts_actors=True) as session:
            until(["first", "script"])
            there = Echo.options(placement=pa.NodeAffinity("first")).remote()
            assert pa.get(there.back.remote(1)) == 1
            pa.leave()
            assert up() == ["script"], up()
            try:
                pa.get(there.back.remote(2))
            except pa.NodeDown as error:
                print("unreachable:", error)
            here = Echo.remote()
            assert pa.get(here.back.remote(3)) == 3
            pa.join(address, timeout=30)
            until(["first", "script"])
            assert pa.get(here.back.remote(4)) == 4
            pa.update_members([address])
            for wrong in (session.address, "nowhere"):
                try:
                    pa.join(wrong)
                except pa.ConfigError as error:
                    print("refused:", error)
            try:
                pa.join("127.0.0.1:1", timeout=0.3)
            except pa.NotYetConnected as error:
                print("waited:", error)
            try:
                pa.evict("nobody")
            except pa.ConfigError as error:
                print("refused:", error)

            async def on_the_loop():
                try:
                    pa.leave()
                except RuntimeError as error:
                    print("on the loop:", error)
            asyncio.run_coroutine_threadsafe(on_the_loop(), session.runtime.node.loop).result(30)
        print("done")

    main()
"""


@pytest.fixture
def shells(programs: Programs, tmp_path: Path) -> Iterator[Shells]:
    own = Shells(programs, tmp_path)
    yield own
    own.end()


def up(shells: Shells, address: str) -> list[str]:
    members = shells.facts("members", "--address", address)["members"]
    return sorted(row["name"] for row in members if row["state"] == "up")


def test_a_program_leaves_works_alone_and_joins_again(shells: Shells) -> None:
    _, address = shells.start("--name", "first")

    script = shells.script(SCRIPT, address, "")

    assert script.wait() == 0, script.output
    assert "unreachable: node first" in script.output
    assert script.output.count("refused: address = ") == 2
    assert "a node does not join itself" in script.output and "expected HOST:PORT" in script.output
    assert "waited: " in script.output and "after 0.3 s" in script.output
    assert "another node that is up: first" in script.output
    assert "on the loop: leave would block" in script.output


def test_a_node_leaves_and_joins_when_it_is_told_to_from_outside(shells: Shells) -> None:
    _, first = shells.start("--name", "first")
    _, second = shells.start("--name", "second", "--join", first)

    left = shells.partisan("leave", "--address", first, "--node", "second")

    assert left.returncode == 0 and "node second has left cluster" in left.stdout, left.stderr
    wait_until(lambda: up(shells, first) == ["first"] and up(shells, second) == ["second"], "both to be alone")
    joined = shells.facts("join", first, "--address", second)
    assert joined == {"node": "second", "joins": first}
    wait_until(lambda: up(shells, first) == ["first", "second"], "it to be back")
    wait_until(lambda: not shells.facts("overlay", "--address", first)["one_sided"], "links to be mutual")
    assert shells.partisan("evict", "nobody", "--address", first).returncode == 2
    assert shells.partisan("evict", "second", "--address", first).returncode == 0
    wait_until(lambda: up(shells, first) == ["first"] and up(shells, second) == ["second"], "it to be out")
    assert shells.partisan("leave", "--address", first, "--node", "nobody").returncode == 2


@pytest.mark.slow
def test_a_node_that_was_killed_comes_back_by_its_data_directory(shells: Shells, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    _, first = shells.start("--name", "first", "--overlay", "full_mesh")
    second, _ = shells.start("--name", "second", "--join", first, "--data-dir", data)
    wait_until(lambda: '"first"' in Path(data, "second.members.json").read_text(), "the members to be saved")
    second.send(signal.SIGKILL)
    second.wait()

    again, address = shells.start("--name", "second", "--data-dir", data)

    assert "full_mesh" in shells.partisan("members", "--address", address).stdout
    wait_until(lambda: up(shells, first) == ["first", "second"], "it to be back")
    again.send(signal.SIGKILL)
    again.wait()
    Path(data, "second.members.json").write_text("{ not JSON")
    fresh, address = shells.start("--name", "second", "--data-dir", data)
    assert up(shells, address) == ["second"]
    assert fresh.output.count("starting without the saved members") == 1
    (status,) = shells.facts("status", "--address", address)["node_status"]
    assert [(fact["kind"], fact["count"]) for fact in status["troubles"]] == [("saved members unusable", 1)]
    assert Path(data, "second.members.corrupt").read_text() == "{ not JSON"


@pytest.mark.slow
def test_an_overlay_of_one_s_own_is_chosen_and_joined_by_command(programs: Programs, tmp_path: Path) -> None:
    shells = Shells(programs, tmp_path)
    shells._environment["PYTHONPATH"] = PATH
    options = ("--overlay", "ring:Ring", "--overlay-option", "gossip_period_s=0.25")
    options += ("--broadcast-option", "trees=per_root")
    _, first = shells.start("--name", "first", "--nodes", "3", *options)
    shells.start("--name", "second", "--join", first)

    wait_until(lambda: len(up(shells, first)) == 4, "all to be there")

    def second() -> Any:
        rows = shells.facts("status", "--address", first)["node_status"]
        return next((row for row in rows if row["node"] == "second"), None)

    row = wait_until(second, "it to answer")
    assert row["overlay"] == "ring:Ring" and row["overlay_options"] == {"gossip_period_s": 0.25}
    assert row["broadcast_options"] == {"trees": "per_root"} and row["troubles"] == []
    wait_until(lambda: not shells.facts("overlay", "--address", first)["one_sided"], "links to be mutual")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--overlay", "ring"), "overlay = 'ring' is not valid: expected hyparview, xbot, full_mesh"),
        (("--overlay", "no_such:Ring"), "a class that this process can import (ModuleNotFoundError"),
        (("--overlay-option", "active_max=1"), "overlay_options.active_max = 1 is not valid: expected an int of at"),
        (("--overlay-option", "fan_out=1"), "overlay_options = 'fan_out' is not valid: expected one of active_max,"),
        (
            ("--broadcast-option", "trees=one"),
            "broadcast_options.trees = 'one' is not valid: expected shared or per_root",
        ),
        (("--overlay-option", "active_max"), "'active_max' is not KEY=VALUE"),
        (("--data-dir", "somewhere"), "--data-dir needs --name"),
    ],
    ids=str,
)
def test_a_bad_choice_is_told_in_one_line_with_what_is_allowed(
    shells: Shells, arguments: tuple[str, ...], text: str
) -> None:
    program = shells.launch("--bind", "127.0.0.1:0", *arguments)

    assert program.wait() == 2
    assert text in program.output and len(program.lines) == 1, program.output
