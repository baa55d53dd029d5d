"""`partisan profile` over a real cluster: an actor that computes, a node, and what cannot be recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import wait_until
from tests.integration.shells import Shells, node_with_script

pytestmark = pytest.mark.slow

SCRIPT = """
    import sys
    import partisan_actors as pa

    @pa.actor
    class Shop:
        def computes(self):
            while True:
                self.prices()

        def prices(self):
            return sum(range(1000))

        async def idles(self):
            return True

    @pa.actor
    class Idle:
        async def idles(self):
            return True

    with pa.init(sys.argv[1], name="script"):
        shop, idle = Shop.options(name="shop").remote(), Idle.options(name="idle").remote()
        gone = Idle.options(name="gone").remote()
        pa.get([idle.idles.remote(), gone.idles.remote()])
        pa.kill(gone)
        ref = shop.computes.remote()
        print("ready", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shells]:
    """A node, and a script whose actors are on it."""
    with node_with_script(tmp_path_factory.mktemp("shells"), SCRIPT, "--resource", "num_cpus=4") as shells:
        yield shells


def test_the_functions_of_an_actor_that_computes_are_listed(shells: Shells) -> None:
    def seen() -> Any:
        told = shells.facts("profile", "shop", "--seconds", "1", "--sort", "total")
        return told if {row["function"] for row in told["functions"]} >= {"Shop.computes", "Shop.prices"} else None

    told = wait_until(seen, "both functions are seen", timeout_s=120)
    text = shells.partisan("profile", "shop", "--seconds", "1", "--by", "time").stdout

    assert told["class"] == "Shop" and told["node"] == "first" and told["functions"][0]["function"] == "Shop.computes"
    assert text.startswith("class Shop on node first (process ") and "Shop.computes" in text
    assert text.splitlines()[1].split("  ")[:2] == ["own cpu", "total cpu"]


def test_a_node_is_written_as_folded_stacks_for_speedscope_and_as_a_picture(shells: Shells, tmp_path: Path) -> None:
    for form, sign in (("folded", ";Shop.computes ("), ("speedscope", "speedscope.app"), ("svg", "<svg ")):
        file = tmp_path / form
        result = shells.partisan("profile", "first", "--seconds", "1", "--format", form, "-o", str(file))

        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(f"{file}: node first (process ") and sign in file.read_text(encoding="utf-8")

    told = json.loads(
        shells.partisan("profile", "first", "--seconds", "0.2", "--format", "svg", "-o", str(file), "--json").stdout
    )
    assert (told["file"], told["format"], told["node"]) == (str(file), "svg", "first")


def test_at_a_terminal_it_is_shown_how_far_it_is(shells: Shells) -> None:
    code, shown = shells.at_terminal("profile", "first", "--seconds", "2")

    assert code == 0 and "looking at first" in shown and "seconds" in shown and "own cpu" in shown


def test_what_cannot_be_recorded_is_said_in_a_line(shells: Shells, tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "file"
    unseen = shells.partisan("profile", "idle", "--seconds", "0.2")

    assert unseen.returncode == 0 and "nothing was seen to run" in unseen.stderr
    for arguments, code, words in (
        (("nobody",), 1, "no actor 'nobody' is known"),
        (("gone",), 1, "has ended"),
        (("first", "--seconds", "31"), 2, "--seconds"),
        (("first", "--seconds", "0.1", "-o", str(nowhere)), 1, f"cannot write {nowhere}"),
    ):
        result = shells.partisan("profile", *arguments)
        assert result.returncode == code and words in result.stderr and result.stderr.count("\n") == 1, result.stderr
