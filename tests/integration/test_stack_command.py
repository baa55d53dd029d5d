"""`partisan stack` over a real cluster: actors that wait, block, or have a process, and a node that is stuck."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.programs import Programs, wait_until
from tests.integration.shells import Shells, node_with_script

SCRIPT = """
    import asyncio, sys, threading
    import partisan_actors as pa

    @pa.actor
    class Shop:
        async def waits(self):
            await asyncio.Event().wait()

        async def asks(self, other):
            await other.waits.remote()

        def blocks(self):
            threading.Event().wait()

    with pa.init(sys.argv[1], name="script"):
        waiting, asking, blocking = (Shop.options(name=name).remote() for name in ("waiting", "asking", "blocking"))
        alone = Shop.options(name="alone", isolation="process").remote()
        refs = [asking.asks.remote(waiting), blocking.blocks.remote(), blocking.waits.remote(), alone.blocks.remote()]
        print("ready", flush=True)
        sys.stdin.readline()
"""

STUCK = """
    import os, sys, time
    import partisan_actors as pa

    @pa.actor
    class Stuck:
        async def spins(self, flag):
            print("spins", flush=True)
            while not os.path.exists(flag):
                time.sleep(0.01)

    with pa.init(sys.argv[1], name="script"):
        stuck = Stuck.options(scheduling_strategy=pa.NodeAffinity("n-w1")).remote()
        ref = stuck.spins.remote(sys.argv[2])
        print("ready", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shells]:
    """A node, and a script whose actors are on it, and wait."""
    with node_with_script(tmp_path_factory.mktemp("shells"), SCRIPT, "--resource", "num_cpus=4") as shells:
        wait_until(
            lambda: shells.facts("stack", "blocking")["threads"] and shells.facts("stack", "waiting")["coroutines"],
            "what runs is seen",
        )
        yield shells


def test_an_actor_is_shown_at_its_line_with_what_it_waits_for(shells: Shells) -> None:
    asking = shells.partisan("stack", "asking").stdout
    (row,) = shells.facts("stack", "waiting")["coroutines"]

    assert "Shop.asks of actor:" in asking and " in Shop.asks\n" in asking and "in ObjectRef.__await__" in asking
    assert "  waits for waits of Shop 'waiting'" in asking
    assert row["asked_by"] == "first"
    assert [frame["function"] for frame in row["frames"]] == ["Shop.waits", "Event.wait"]
    assert [frame["is_users"] for frame in row["frames"]] == [True, False]


def test_an_actor_that_blocks_is_shown_with_what_waits_behind_it(shells: Shells) -> None:
    text = shells.partisan("stack", "blocking").stdout

    assert "1 running, 1 waiting (waits)" in text.splitlines()[0]
    assert " in Shop.blocks\n" in text and "in Event.wait\n    signaled = " in text


def test_an_actor_in_a_process_of_its_own_is_shown_there(shells: Shells) -> None:
    told = wait_until(lambda: _running(shells, "alone"), "the process has begun")

    assert told["node"] != "first" and told["threads"][0]["runs"] == "Shop.blocks"


def _running(shells: Shells, name: str) -> dict[str, object] | None:
    result = shells.partisan("stack", name, "--json")
    told: dict[str, object] = json.loads(result.stdout) if result.returncode == 0 else {}
    return told if told.get("threads") else None


def test_a_node_is_shown_with_whom_each_stack_is_for_and_its_own_on_request(shells: Shells) -> None:
    text, full = (shells.partisan("stack", "first", *more).stdout for more in ((), ("--full",)))
    nobody = shells.partisan("stack", "nobody")

    assert "node first (process " in text and "Shop.blocks of actor:" in text and "of the node's own" in text
    assert len(full) > len(text) and "of the node's own" not in full
    assert nobody.returncode == 1 and "no actor 'nobody' is known" in nobody.stderr


@pytest.mark.slow
def test_a_node_whose_loop_is_stuck_is_shown_all_the_same(tmp_path: Path) -> None:
    flag = tmp_path / "go-on"
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        nodes, address = shells.start("--name", "n", "--nodes", "2")
        script = shells.script(STUCK, address, str(flag))
        try:
            nodes.wait_for("spins")

            text = shells.partisan("stack", "n-w1").stdout
        finally:
            flag.touch()
        assert script.process.poll() is None

    assert "node n-w1 does not answer" in text and "in spins" in text
