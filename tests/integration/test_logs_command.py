"""`partisan logs` over a real cluster: what was logged, by whom, and what is from now on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.programs import Programs
from tests.integration.shells import Shells

WORK = """
    import logging, sys
    import partisan_actors as pa

    @pa.actor
    class Shop:
        def sell(self, what):
            logging.getLogger("shop").warning("sold %s", what)

    with pa.init(sys.argv[1]):
        shop = Shop.remote()
        shop.sell.remote("apples").result(60)
        print("sold", flush=True)
        sys.stdin.readline()
        shop.sell.remote("pears").result(60)
        sys.stdin.readline()
"""


@pytest.mark.slow
def test_what_actors_log_is_seen_from_any_shell_and_followed(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        nodes, address = shells.start("--nodes", "2", "--name", "n")
        work = shells.script(WORK, address)
        work.wait_for("sold")

        result = shells.partisan("logs", "--grep", "APPLES", "--json")
        (row,) = [json.loads(line) for line in result.stdout.splitlines()]
        following = shells.command("logs", "-f", "--level", "warning")
        following.wait_for("sold apples")
        assert work.process.stdin is not None
        work.process.stdin.write("\n")
        work.process.stdin.flush()
        line = following.wait_for("sold pears")
        none = shells.partisan("logs", "--node", "n", "--actor", "actor:nobody~1/1")

        following.interrupt()
        assert following.wait() == 130
        work.process.stdin.write("\n")
        work.process.stdin.flush()
        work.wait()
        nodes.interrupt()
        nodes.wait()

    assert (row["actor_class"], row["level"], row["message"]) == ("Shop", "WARNING", "sold apples")
    assert " WARNING " in line and "Shop actor:" in line
    assert none.returncode == 0 and none.stdout == ""


FIELDS = """
    import logging, sys
    import partisan_actors as pa

    @pa.actor
    class Shop:
        def sell(self, what):
            logging.getLogger("shop").warning("sold %s", what, extra={"price": 3})

    with pa.init(sys.argv[1], tracing=True, logging="json"):
        Shop.remote().sell.remote("apples").result(60)
        Shop.options(isolation="process").remote().sell.remote("pears").result(60)
        logging.getLogger("program").warning("all is sold")
        print("sold", flush=True)
"""


@pytest.mark.slow
def test_nodes_programs_and_processes_log_in_json_with_actor_node_and_trace(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        nodes, address = shells.start("--nodes", "2", "--name", "n", "--tracing", "--log-format", "json")
        work = shells.script(FIELDS, address)
        work.wait_for("sold")
        work.wait()
        apples = json.loads(nodes.wait_for("sold apples"))
        pears = json.loads(nodes.wait_for("sold pears"))
        program = json.loads(next(line for line in work.output.splitlines() if "all is sold" in line))
        nodes.interrupt()
        nodes.wait()

    assert apples["actor_class"] == pears["actor_class"] == "Shop" and apples["price"] == 3
    assert apples["node"].startswith("n") and pears["node"].startswith("n") and "-p" in pears["node"]
    assert len(apples["trace_id"]) == 32 and len(apples["span_id"]) == 16 and apples["trace_flags"] in ("01", "03")
    assert program["logger"] == "program" and program["node"] not in (apples["node"], pears["node"])
