"""The commands that show what nodes measure, on a real cluster under a load that is known."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.programs import ROOT, Program, Programs, wait_until
from tests.integration.shells import Shells

CALLS = 40
SCRIPT = f"""
    import asyncio, sys
    import partisan_actors as pa

    @pa.actor
    class Shop:
        async def price(self):
            return 1

        async def fails(self):
            raise ValueError("no")

        async def waits(self):
            await asyncio.Event().wait()

    async def main():
        async with pa.init(address=sys.argv[1], name="script"):
            shop = Shop.options(name="the-shop").remote()
            for _ in range({CALLS}):
                await shop.price.remote()
            try:
                await shop.fails.remote()
            except pa.TaskFailed:
                pass
            waiting = shop.waits.remote()
            await shop.price.remote()
            print("ready", flush=True)
            loop = asyncio.get_running_loop()
            stopped = loop.run_in_executor(None, sys.stdin.readline)
            while not stopped.done():
                await shop.price.remote()
                await asyncio.sleep(0.01)

    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shells]:
    """A node, and a script whose actor is on it and is called again and again."""
    folder = tmp_path_factory.mktemp("shells")
    with Programs(folder) as programs:
        shells = Shells(programs, folder)
        _, address = shells.start("--name", "first")
        script: Program = shells.script(SCRIPT, address)
        script.wait_for("ready")
        yield shells


def method(shells: Shells, name: str) -> dict[str, Any]:
    (found,) = [row for row in shells.facts("methods", "--class", "Shop")["methods"] if row["method"] == name]
    return dict(found)


def test_methods_are_counted_where_they_run(shells: Shells) -> None:
    price, fails, waits = (method(shells, name) for name in ("price", "fails", "waits"))

    assert price["calls"] > CALLS and price["errors"] == 0 and price["nodes"] == ["first"]
    assert (fails["calls"], fails["errors"], waits["calls"], waits["in_flight"]) == (1, 1, 1, 1)
    assert 0 < price["run_p50_s"] <= price["run_p99_s"] <= 60
    assert waits["run_p99_s"] is None


def test_methods_is_a_table_and_knows_the_nodes_there_are(shells: Shells) -> None:
    text = shells.partisan("methods", "--sort", "errors").stdout.splitlines()
    nobody = shells.partisan("methods", "--node", "nobody")

    assert text[1].split()[:3] == ["class", "method", "kind"] and text[2].split()[:3] == ["Shop", "fails", "ask"]
    assert nobody.returncode == 2 and "there are first, script" in nobody.stderr


def test_nodes_tell_of_their_processes(shells: Shells) -> None:
    rows = {row["name"]: row for row in shells.facts("nodes")["nodes"]}
    first, text = shells.partisan("nodes", "first"), shells.partisan("nodes", "--sort", "memory").stdout

    assert sorted(rows) == ["first", "script"]
    for row in rows.values():
        assert row["rss_bytes"] > 1 << 20 and row["fds"] > 3 and row["cpu_s"] > 0 and row["incarnation"] > 0
    assert first.stdout.splitlines()[-1].split()[:2] == ["first", "up"]
    assert "incarnation" in text.splitlines()[1]
    assert shells.partisan("nodes", "nobody").returncode == 2


def test_channels_tell_what_went_over_them(shells: Shells) -> None:
    ends = shells.facts("channels", "--peers", "--channel", "calls")["channels"]
    text = shells.partisan("channels").stdout.splitlines()

    (ours,) = [row for row in ends if (row["node"], row["peer"]) == ("script", "first")]
    assert ours["sent_messages"] > CALLS and ours["sent_bytes"] > CALLS and ours["lanes"] == 1
    assert text[1].split()[:4] == ["node", "channel", "peers", "lanes"]


def test_status_tells_calls_a_second_and_errors(shells: Shells) -> None:
    facts = wait_until(lambda: _busy(shells.facts("status")), "calls within half a second")
    text = shells.partisan("status").stdout

    assert facts["calls"]["errors"] == 1 and facts["calls"]["in_flight"] >= 1
    assert "calls/s, p50 " in text and "1 error, 0 dead letters" in text


def _busy(facts: dict[str, Any]) -> dict[str, Any] | None:
    return facts if facts["calls"]["calls_per_s"] > 0 and facts["calls"]["run_p50_s"] is not None else None


def test_actors_are_sorted_and_one_is_shown_by_its_name_or_how_its_id_ends(shells: Shells) -> None:
    by_use = shells.facts("actors", "--sort", "processed")["actors"]
    by_name = shells.facts("actors", "show", "the-shop")["actor"]
    text = shells.partisan("actors", "show", by_name["id"][-3:]).stdout
    nobody = shells.partisan("actors", "show", "nobody")

    assert by_use[0]["id"] == by_name["id"] and by_name["processed"] > CALLS
    assert ["id", by_name["id"]] in [line.split() for line in text.splitlines()]
    assert nobody.returncode == 1 and "no actor 'nobody' is known" in nobody.stderr


def test_top_shows_one_interval_to_programs(shells: Shells) -> None:
    facts = wait_until(lambda: _called(shells), "a call within an interval")
    text = shells.partisan("top", "--once", "--interval", "0.5").stdout

    assert facts["answered"] == facts["asked"] == 2 and facts["in_flight"] >= 1
    assert {row["node"] for row in facts["nodes"]} == {"first", "script"}
    assert "2 nodes, " in text.splitlines()[0] and "calls/s" in text


def _called(shells: Shells) -> dict[str, Any] | None:
    facts: dict[str, Any] = shells.facts("top", "--once", "--interval", "0.5")
    return facts if any(row["method"] == "price" and row["calls"] for row in facts["methods"]) else None


def test_top_lives_at_a_terminal_and_takes_keys(shells: Shells) -> None:
    ours, terminal = os.openpty()
    environment = {**os.environ, "PARTISAN_RUN_DIR": str(shells.run_dir), "TERM": "xterm", "COLUMNS": "200"}
    arguments = [sys.executable, "-m", "partisan_actors", "top", "--interval", "0.3"]
    with subprocess.Popen(
        arguments, cwd=ROOT, env=environment, stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        try:
            _read_until(ours, "sorted by calls")
            os.write(ours, b"s")
            _read_until(ours, "sorted by run")
            os.write(ours, b"q")
            _read_until(ours, None)
            assert process.wait(60) == 0
        finally:
            process.kill()
            os.close(ours)


def _read_until(terminal: int, text: str | None) -> None:
    """Read until `text` was there; None: until the program has ended."""
    seen, deadline = b"", time.monotonic() + 60
    while text is None or text.encode() not in seen:
        assert time.monotonic() < deadline, f"{text!r} does not come: {seen[-2000:]!r}"
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # nobody is at the other end any more
                assert text is None, seen
                return


def test_json_of_top_is_a_line_for_each_interval(shells: Shells) -> None:
    environment = {**os.environ, "PARTISAN_RUN_DIR": str(shells.run_dir)}
    arguments = [sys.executable, "-m", "partisan_actors", "top", "--interval", "0.2", "--json"]
    with subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        process.terminate()

    assert first["cluster"] == second["cluster"] and second["seconds"] > 0
