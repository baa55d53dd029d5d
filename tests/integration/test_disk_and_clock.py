"""A disk that is full and a clock that jumps: a node says what it could not do, and everything else goes on."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from partisan_actors.api.runtime import Runtime
from partisan_actors.node.rejoining import incarnation_after
from partisan_actors.node.saved_members import Saved
from partisan_actors.node.world import World
from partisan_actors.transport.memory import MemoryNetwork
from tests.integration.programs import ROOT, Programs
from tests.nodes import config_of, until
from tests.unit.api.runtimes import door

YEAR_NS = 365 * 86_400 * 10**9

FULL = """
    import json, os, resource, sys, time
    import partisan_actors as pa

    @pa.actor
    class Adder:
        def add(self, a, b):
            return a + b

    def until(condition):
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "too late"
            time.sleep(0.01)

    def saved():
        with open(os.path.join(sys.argv[1], "a.members.json")) as file:
            return {member["name"] for member in json.load(file)["members"]}

    with pa.init(workers=1, name="a", data_dir=sys.argv[1]) as session:
        until(lambda: saved() == {"a-w1"})
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        node = session.runtime.node

        def changed():
            node._rejoining._last = None
            node._rejoining.note()

        def was_told():
            # Each time again: a save that was under way when the disk became full remembers, as it ends, what it saved.
            node.loop.call_soon_threadsafe(changed)
            return any(each["kind"] == "members not saved" for each in node.troubles.facts())

        until(was_told)
        adder = Adder.remote()
        assert pa.get(adder.add.remote(1, 2)) == 3
        assert saved() == {"a-w1"}, "what was saved before is there still"
        os.unlink(os.path.join(sys.argv[1], "a.members.json"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        until(lambda: os.path.exists(os.path.join(sys.argv[1], "a.members.json")))
        assert saved() == {"a-w1"} and pa.get(adder.add.remote(2, 2)) == 4
    print("well")
"""


def test_a_node_whose_disk_is_full_goes_on_and_saves_once_there_is_room(programs: Programs, tmp_path: Path) -> None:
    assert "well" in programs.run(FULL, str(tmp_path / "data"))


def _no_room() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))


def _started_without_room(tmp_path: Path, **environment: str) -> str:
    run_dir = tmp_path / "run"
    result = subprocess.run(
        [sys.executable, "-m", "partisan_actors", "start", "--bind", "127.0.0.1:0"],
        cwd=ROOT,
        env={**os.environ, "PARTISAN_RUN_DIR": str(run_dir), **environment},
        preexec_fn=_no_room,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result.stderr
    assert not run_dir.exists() or not list(run_dir.iterdir()), "no half of a file is left"
    return result.stderr


def test_a_node_that_cannot_write_where_it_runs_says_so_in_one_line(tmp_path: Path) -> None:
    said = _started_without_room(tmp_path, PARTISAN_COOKIE="a cookie of tests")

    assert "run directory" in said and "PARTISAN_RUN_DIR" in said


def test_a_cookie_for_which_there_is_no_room_is_named_and_no_half_of_it_is_left(tmp_path: Path) -> None:
    cookie = tmp_path / "new" / "cookie"

    said = _started_without_room(tmp_path, PARTISAN_COOKIE_FILE=str(cookie))

    assert str(cookie) in said and "PARTISAN_COOKIE" in said
    assert not list(cookie.parent.iterdir())


async def _they_talk(made: list[Runtime]) -> None:
    before = [runtime.node.dialling.bytes_in for runtime in made]
    await until(lambda: all(r.node.dialling.bytes_in > b for r, b in zip(made, before, strict=True)), "they talk")


async def test_a_wall_clock_that_jumps_changes_nothing() -> None:
    network = MemoryNetwork()
    now_ns = 50 * YEAR_NS
    made: list[Runtime] = []
    for name in ("a", "b", "c"):
        config = config_of(name, keep_alive_s=0.02, suspicion_s=60.0, load_period_s=0.02)
        runtime = Runtime(config, transport=door(network), world=World(wall_clock_ns=lambda: now_ns))
        made.append(runtime)
        await runtime.start([made[0].node.address] if len(made) > 1 else [])
    await until(lambda: all(len(runtime.node.directory.live()) == 3 for runtime in made))
    lives = {runtime.node.me for runtime in made}
    downs: list[object] = []
    for runtime in made:
        runtime.node.on_down(None, downs.append)

    for jump in (YEAR_NS, -2 * YEAR_NS, 10**9, -(10**9), 20 * YEAR_NS, -60 * YEAR_NS):
        now_ns += jump
        await _they_talk(made)
        await made[0].system.request(made[1].node.me, "inspect", "status", timeout_s=60)

    assert {record.node for runtime in made for record in runtime.node.directory.live()} == lives
    assert not downs and all(len(runtime.node.directory.live()) == 3 for runtime in made)
    for runtime in made:
        await runtime.close()


def test_a_node_that_starts_again_with_a_clock_that_went_back_is_still_a_later_life() -> None:
    saved = Saved("a", "c", incarnation=1_000_000, overlay="hyparview")

    assert incarnation_after(saved, 5) > 1_000_000
    assert incarnation_after(None, 5_000_000_000) < incarnation_after(None, 6_000_000_000)
