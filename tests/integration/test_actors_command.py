"""`partisan actors` over a real cluster: what it lists, what it knows of one actor, and what it does to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import Programs, wait_until
from tests.integration.shells import Shells, node_with_script

pytestmark = pytest.mark.slow

SCRIPT = """
    import logging, sys
    import partisan_actors as pa

    @pa.actor
    class Shop:
        def buy(self, what):
            logging.getLogger("shop").warning("sold %s", what)

    @pa.actor(max_restarts=1)
    class Till:
        def open(self):
            return True

    with pa.init(sys.argv[1], name="script", tracing="calls"):
        shops = [Shop.options(name=name).remote() for name in ("north", "south")]
        till = Till.options(name="till").remote()
        pa.get([*(shop.buy.remote(thing) for shop in shops for thing in ("tea", "jam")), till.open.remote()])
        print("ready", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shells]:
    """A node, and a script whose actors are on it."""
    with node_with_script(tmp_path_factory.mktemp("shells"), SCRIPT, "--tracing") as shells:
        yield shells


def listed(shells: Shells, *arguments: str) -> list[dict[str, Any]]:
    """The rows of the list."""
    return list(shells.facts("actors", *arguments)["actors"])


def test_actors_are_listed_by_class_name_and_node_and_ls_is_the_same(shells: Shells) -> None:
    assert [row["name"] for row in listed(shells, "--class", "Shop", "--node", "first")] == ["north", "south"]
    assert [row["class"] for row in listed(shells, "--name", "till")] == ["Till"]
    assert [row["processed"] for row in listed(shells, "ls", "--class", "Shop", "--sort", "processed")] == [2, 2]
    assert {"calls_per_s", "run_p95_s"} <= listed(shells)[0].keys()


@pytest.mark.parametrize("command", ["actors", "channels", "tree", "dead-letters", "objects", "logs", "events"])
def test_a_node_that_is_not_in_the_cluster_is_named_with_those_that_are(shells: Shells, command: str) -> None:
    result = shells.partisan(command, "--node", "nowhere")

    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr == "partisan: no node 'nowhere' is in the cluster; there are first, script\n"


def test_one_actor_is_shown_with_its_calls_logs_and_traces(shells: Shells) -> None:
    def seen() -> Any:
        """What is told once the spans of all of its calls are kept."""
        facts = shells.facts("actors", "show", "north")
        return facts if len(facts["traces"]) == 3 else None

    facts = wait_until(seen, "it was made and called twice")
    text = shells.partisan("actors", "show", "north").stdout

    assert facts["actor"]["name"] == "north" and facts["now"]["methods"] == ["buy"]
    assert [(row["class"], row["method"]) for row in facts["methods"]] == [("Shop", "buy")]
    assert [row["message"] for row in facts["logs"]] == ["sold tea", "sold jam"]
    assert {row["errors"] for row in facts["traces"]} == {0}
    assert "sold jam" in text and "Shop/buy" in text and "calls of class Shop on node first" in text


def test_logs_of_one_actor_of_a_class_and_of_a_trace_are_chosen(shells: Shells) -> None:
    trace = next(row["trace_id"] for row in shells.facts("actors", "show", "south")["logs"])

    def messages(*arguments: str) -> list[str]:
        result = shells.partisan("logs", "--json", *arguments)
        assert result.returncode == 0, result.stderr
        return [f"{row['actor_class']} {row['message']}" for row in map(json.loads, result.stdout.splitlines())]

    assert messages("--actor", "south") == ["Shop sold tea", "Shop sold jam"]
    assert messages("--trace", trace[:12]) == messages("--trace", trace) == ["Shop sold tea"]
    assert len(messages("--class", "Shop", "--since", "1h")) == 4
    assert messages("--class", "Till") == []
    assert shells.partisan("logs", "--trace", "no-hex").returncode == 2
    assert "no actor 'nobody'" in shells.partisan("logs", "--actor", "nobody").stderr


def test_an_actor_is_made_again_killed_and_stopped_and_events_tell_who_did_it(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        try:
            _, address = shells.start("--name", "first")
            shells.script(SCRIPT, address).wait_for("ready")

            again = shells.partisan("actors", "restart", "till")
            refused = shells.partisan("actors", "restart", "north")
            killed = shells.facts("actors", "kill", "north")
            code, shown = shells.at_terminal("actors", "stop", "south", typed="n\n")
            stopped = shells.partisan("actors", "stop", "south", "--yes")
            wait_until(
                lambda: [row["state"] for row in listed(shells, "--name", "south", "--all")] == ["stopped"],
                "it has done what waited for it",
            )
            wait_until(
                lambda: [row["restarts"] for row in listed(shells, "--name", "till")] == [1], "it was made again"
            )
            told = shells.partisan("events", "--kind", "actor.steered").stdout
        finally:
            shells.end()

    assert again.returncode == 0 and "is made again" in again.stdout
    assert refused.returncode == 1 and "restarted once more" in refused.stderr
    assert killed["did"] == "kill" and killed["class"] == "Shop"
    assert code == 1 and "Stop Shop actor:" in shown and "nothing was done" in shown
    assert stopped.returncode == 0 and "ends after what waits for it" in stopped.stdout
    assert all(did in told for did in ("restarts", "kills", "stops")), told
