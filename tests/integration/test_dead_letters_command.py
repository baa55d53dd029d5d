"""`partisan dead-letters` and its `resend` over a real cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.programs import Programs, wait_until
from tests.integration.shells import Shells

pytestmark = pytest.mark.slow

SCRIPT = """
    import sys
    import partisan_actors as pa

    @pa.actor
    class Till:
        def take(self, what):
            print("took", what, flush=True)

        def ping(self):
            return True

    with pa.init(sys.argv[1], name="script"):
        gone, other = Till.options(name="gone").remote(), Till.options(name="other").remote()
        pa.get([gone.ping.remote(), other.ping.remote()])
        pa.kill(gone)
        for what in ("one", "two", "three", bytes(1 << 20)):
            gone.take.tell(what)
        print("ready", flush=True)
        sys.stdin.readline()
"""


def test_what_reached_nobody_is_sent_again_by_its_number_to_another_actor(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        try:
            _, address = shells.start("--name", "first")
            script = shells.script(SCRIPT, address)
            script.wait_for("ready")
            rows = wait_until(lambda: (found := shells.facts("dead-letters")["rows"])[3:] and found, "four are lost")
            kept = [row["number"] for row in rows if row["may_resend"]]
            (large,) = (row["number"] for row in rows if not row["may_resend"])
            table = shells.partisan("dead-letters").stdout

            first, second, third = map(str, kept)
            for arguments, words in (
                ((first,), "say with --to which actor is to get number"),
                ((str(large), "--to", "other"), "is not kept"),
                (("99", "--to", "other"), "not among its last dead letters"),
                ((first, "--to", "nobody"), "no actor 'nobody'"),
            ):
                refused = shells.partisan("dead-letters", "resend", "script", *arguments)
                assert refused.returncode in (1, 2) and words in refused.stderr, refused.stderr
            code, shown = shells.at_terminal("dead-letters", "resend", "script", first, "--to", "other", typed="n\n")
            sent = shells.facts("dead-letters", "resend", "script", first, second, "--to", "other")
            last = shells.at_terminal("dead-letters", "resend", "script", third, "--to", "other", typed="y\n")
            for what in ("one", "two", "three"):
                script.wait_for(f"took {what}")
            left = [row["number"] for row in shells.facts("dead-letters")["rows"]]
            told = shells.partisan("events", "--kind", "actor.steered").stdout
        finally:
            shells.end()

    assert f"script  {large:>6}  no" in table and f"script  {kept[0]:>6}  yes" in table
    assert code == 1 and "Send 1 message?" in shown and "nothing was done" in shown
    assert [(row["number"], row["method"], row["why"]) for row in sent["sent"]] == [
        (number, "take", None) for number in kept[:2]
    ]
    assert last[0] == 0 and f"{third}: sent take to Till" in last[1]
    assert left == [large]
    assert told.count("sends take again to") == 3
