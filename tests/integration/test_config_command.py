"""`partisan config` and `partisan doctor` over a real cluster: where settings come from, what is changed, and wrong."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.integration.programs import Programs, wait_until
from tests.integration.shells import Shells

SCRIPT = """
    import sys
    import partisan_actors as pa

    @pa.actor
    class Shop:
        def sell(self):
            return 1

    with pa.init(sys.argv[1], name="script", namespace="mine"):
        shop = Shop.remote()
        print("ready", flush=True)
        for _ in sys.stdin:
            pa.get(shop.sell.remote())
            print("sold", flush=True)
"""


@pytest.mark.slow
def test_settings_are_told_with_their_sources_and_changed_on_all_nodes(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        nodes, address = shells.start("--name", "n", "--nodes", "2", "--overlay", "full_mesh", "--log-level", "INFO")
        script = shells.script(SCRIPT, address)
        script.wait_for("ready")

        facts, text = shells.facts("config"), shells.partisan("config", "--given").stdout
        changed = shells.facts("config", "set", "tracing.level", "calls")
        refused = shells.partisan("config", "set", "overlay", "hyparview")
        nowhere = shells.partisan("config", "set", "log_level", "INFO", "--node", "nobody")
        assert script.process.stdin is not None
        script.process.stdin.write("\n")
        script.process.stdin.flush()
        script.wait_for("sold")
        wait_until(lambda: "Shop/sell" in shells.partisan("traces", "ls").stdout, "the call is traced")
        events = shells.partisan("events").stdout
        audit = nodes.wait_for("changes tracing.level from off to calls")

    rows = {(row["node"], row["name"]): row for row in facts["config"]}
    assert rows["n", "overlay"]["source"] == rows["n-w1", "overlay"]["source"] == "option --overlay"
    assert rows["script", "overlay"]["source"] == "cluster that was joined"
    assert (rows["script", "namespace"]["value"], rows["script", "namespace"]["source"]) == ("mine", "given")
    assert rows["n", "log_level"] == {**rows["n", "log_level"], "value": "INFO", "source": "option --log-level"}
    assert "full_mesh" in text and "option --overlay" in text and "keep_alive_s" not in text
    assert {row["node"]: (row["before"], row["now"]) for row in changed["changed"]} == dict.fromkeys(
        ("n", "n-w1", "script"), ("off", "calls")
    )
    assert refused.returncode == 2 and "while a node runs: log_level" in refused.stderr
    assert nowhere.returncode == 2 and "there are n, n-w1, script" in nowhere.stderr
    assert "audit: " in audit and "changed tracing.level of node n-w1 from off to calls" in events


@pytest.mark.slow
def test_the_doctor_finds_nothing_wrong_with_a_cluster_but_a_node_that_stands_still(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        _, address = shells.start("--name", "first")
        second, _ = shells.start("--name", "second", "--join", address)
        shells.start("--name", "third", "--join", address)

        well = json.loads(shells.partisan("doctor", "--json").stdout)
        os.kill(second.process.pid, signal.SIGSTOP)
        try:
            result = shells.partisan("doctor", "--address", address)
        finally:
            os.kill(second.process.pid, signal.SIGCONT)

    assert well["asked"] == well["answered"] == 3
    assert not [
        each for each in well["findings"] if each["check"] in ("answers", "clocks") and each["severity"] != "ok"
    ]
    # It may be down by now for the others, and then that is a warning.
    assert "error   answers (second)" in result.stdout or "(second): it is down" in result.stdout
    assert (result.returncode == 1) == ("error   " in result.stdout)
