"""What programs read of commands: each that looks at a cluster has an example on its page, and JSON with these keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from partisan_actors.cli.main import SUBCOMMANDS
from tests.command_outputs import PAGE, SHAPES, full_story, shapes
from tests.consoles import commands_of

# Those that look at a cluster; `timeline` writes a file, and has no text to show.
LOOKING: Final = (
    *("status", "nodes", "overlay", "actors", "methods", "channels", "traces", "logs", "events", "tree", "top"),
    *("stack", "deadlocks", "objects", "dead-letters", "doctor", "config", "why", "profile"),
)


def test_each_command_that_looks_at_a_cluster_has_an_example() -> None:
    assert {arguments[0] for arguments in commands_of(PAGE)} == set(LOOKING) <= set(SUBCOMMANDS)
    assert "timeline" in SUBCOMMANDS and "partisan timeline -o FILE" in PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_json_of_each_has_the_keys_that_programs_rely_on(tmp_path: Path) -> None:
    """To record them anew, which is a change that users notice: ``python -m tests.command_outputs``."""
    with full_story(tmp_path) as (shells, trace):
        found = shapes(shells, trace)

    recorded = json.loads(SHAPES.read_text(encoding="utf-8"))
    assert found.keys() == recorded.keys()
    for command, keys in recorded.items():
        missing = {key: set(keys[key]) - set(found[command].get(key) or ()) for key in keys}
        assert found[command].keys() >= keys.keys() and not any(missing.values()), (command, missing)
