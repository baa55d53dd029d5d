"""What somebody sees of commands that take long: a bar at a terminal, and nothing with --json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.programs import Programs
from tests.integration.shells import Shells


@pytest.mark.slow
def test_nodes_are_seen_to_come_and_go_at_a_terminal(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        try:
            code, shown = shells.at_terminal("start", "--nodes", "3", "--bind", "127.0.0.1:0", "--detach")
            assert code == 0 and "nodes that are up" in shown and "/3" in shown

            code, shown = shells.at_terminal("stop", "--yes")
            assert code == 0 and "nodes that have ended" in shown and "3 nodes stopped" in shown
        finally:
            shells.end()


@pytest.mark.slow
def test_programs_see_json_and_nothing_else(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        try:
            started = shells.partisan("start", "--nodes", "2", "--bind", "127.0.0.1:0", "--detach", "--json")
            node = json.loads(started.stdout)["name"]
            drained = shells.partisan("drain", node, "--json")
        finally:
            shells.end()

    assert json.loads(drained.stdout)["stops"] is True
    assert started.stderr == drained.stderr == ""
