"""The page that follows a message: its program runs as it stands, and its commands show what the page says they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.consoles import commands_of, refreshed
from tests.follow_a_message import PAGE, story


def test_blocks_are_found_run_and_replaced_with_the_ids_of_now() -> None:
    page = "```console\n$ partisan traces show 0a1b2c3d\nold\n```\ntext\n```console\n$ partisan nodes\n```\n"

    now = refreshed(page, lambda arguments: f"ran {' '.join(arguments)}  \n", {"traces show": "ffee0011"})

    assert now == (
        "```console\n$ partisan traces show ffee0011\nran traces show ffee0011\n```\ntext\n"
        "```console\n$ partisan nodes\nran nodes\n```\n"
    )
    assert "...\n```" in refreshed(page, lambda arguments: "line\n" * 9, {}, lines_max=3)


@pytest.mark.slow
def test_the_page_can_be_followed(tmp_path: Path) -> None:
    with story(tmp_path) as told:
        shells = told.shells
        trace = shells.facts("traces", "show", told.tea)
        till = shells.partisan("stack", "till").stdout
        ledger = shells.facts("stack", "ledger")
        logged = shells.partisan("logs", "--trace", told.tea).stdout
        results = [
            shells.partisan(*[re.sub("^[0-9a-f]{8,32}$", told.tea, each) for each in arguments])
            for arguments in commands_of(PAGE)
            if "--output" not in arguments
        ]

    assert {span["resource"]["partisan.node.name"] for span in trace["spans"]} == {"program", "shop", "bank", "vault"}
    assert "waits for charge of Bank 'teller'" in till
    assert ledger["node"] == "vault" and [row["runs"] for row in ledger["threads"]] == ["Ledger.write"]
    assert "Ada buys tea" in logged and "Ben" not in logged
    assert len(results) >= 7 and not [each.stderr for each in results if each.returncode]
