"""`partisan objects` over a real cluster: what is kept, where, and by whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.programs import Programs, wait_until
from tests.integration.shells import Shells

SCRIPT = """
    import sys
    import partisan_actors as pa

    @pa.actor
    class Keeper:
        def keep(self, refs):
            self.kept = refs

    with pa.init(sys.argv[1], name="script"):
        large = pa.put(bytes(1 << 20))
        keeper = Keeper.remote()
        pa.get(keeper.keep.remote([large]))
        print("ready", large.id, flush=True)
        sys.stdin.readline()
"""


@pytest.mark.slow
def test_who_holds_an_object_is_told_from_any_shell(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        _, address = shells.start("--name", "first")
        script = shells.script(SCRIPT, address)
        identity = script.wait_for("ready").split()[1]

        wait_until(lambda: shells.facts("objects")["objects"][0]["held_by"] == ["first"], "the borrower is known")
        facts, text = shells.facts("objects"), shells.partisan("objects").stdout
        one, told = shells.facts("objects", identity), shells.partisan("objects", identity[-6:]).stdout
        leaks = shells.facts("objects", "--leaks")
        nobody = shells.partisan("objects", "object:first~1/ff")

    (row,) = facts["objects"]
    assert (row["id"], row["owner"], row["state"], row["size_bytes"] >= 1 << 20) == (identity, "script", "ready", True)
    assert facts["answered"] == facts["asked"] == 2 and {store["node"] for store in facts["stores"]} == {
        "first",
        "script",
    }
    assert "1 object, 1 MiB" in text and identity in text
    assert {holder["node"]: holder["role"] for holder in one["holders"]} == {"first": "borrower", "script": "owner"}
    assert "node script owns it: 1 MiB, ready in memory; 1 handle, held by first" in told
    assert "node first has borrowed it" in told and "an item of a list of 1" in told
    assert leaks["objects"] == []
    assert nobody.returncode == 1 and "is known" in nobody.stderr
