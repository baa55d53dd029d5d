"""Commands that run until they are told to end, when the node that they ask is killed: they go on through another."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from partisan_actors.node.rundir import running_clusters
from tests.integration.programs import Program, Programs, wait_until
from tests.integration.shells import Shells

SCRIPT = """
    import logging, sys
    import partisan_actors as pa

    @pa.actor
    class Shop:
        def sell(self, what):
            logging.getLogger("shop").warning("sold thing-%s", what)

    with pa.init(sys.argv[1], name="script"):
        shop = Shop.options(scheduling_strategy=pa.NodeAffinity("second")).remote()
        pa.get(shop.sell.remote(0))
        print("ready", flush=True)
        for number, line in enumerate(sys.stdin, 1):
            pa.get(shop.sell.remote(number))
            print("sold", number, flush=True)
"""


def sell(script: Program, number: int) -> None:
    """Have it log once more."""
    assert script.process.stdin is not None
    script.process.stdin.write("\n")
    script.process.stdin.flush()
    script.wait_for(f"sold {number}")


@pytest.mark.slow
def test_logs_events_and_top_go_on_when_the_node_that_they_ask_is_killed(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        try:
            _, address = shells.start("--name", "first")
            _, other = shells.start("--name", "second", "--join", address)
            script = shells.script(SCRIPT, other)
            script.wait_for("ready")
            logs = shells.command("logs", "-f", "--address", address)
            events = shells.command("events", "-f", "--address", address)
            top = shells.command("top", "--json", "--interval", "0.5", "--address", address)
            logs.wait_for("sold thing-0")
            events.wait_for("node script has joined")
            top.wait_for('"calls_per_s"')

            (nodes,) = running_clusters(shells.run_dir).values()
            (pid,) = (node.pid for node in nodes if node.name == "first")
            sell(script, 1)
            logs.wait_for("sold thing-1")
            os.kill(pid, signal.SIGKILL)
            for number in (2, 3):
                sell(script, number)
            said = "node first does not answer: going on through node "
            for command in (logs, events, top):
                command.wait_for(said)
            logs.wait_for("sold thing-3")
            events.wait_for("node first is down")
            after = len(top.lines)
            wait_until(lambda: len(top.lines) > after + 1, "top goes on")
            for command in (logs, events, top):
                command.interrupt()
                assert command.wait() == 130
        finally:
            shells.end()

    assert [line.partition("thing-")[2] for line in logs.lines if "thing-" in line] == ["0", "1", "2", "3"]
    assert sum("node script has joined" in line for line in events.lines) == 1
    assert "second" in [row["node"] for row in json.loads([line for line in top.lines if "nodes" in line][-1])["nodes"]]
