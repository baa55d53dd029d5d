"""`partisan demo` in its quick form: it ends well, fails when an answer is wrong, and leaves nothing behind."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import SOON, Program, Programs

# On a machine that does ten things at once, it may take longer than anybody would watch.
DEMO = """
    import sys
    from partisan_actors.cli.demo import command
    from partisan_actors.cli.main import run
    command.TIMEOUT_S = 110.0
    sys.exit(run(["demo", *sys.argv[1:]]))
"""

# When it is done, it goes on until it is interrupted: whoever does that may be late.
ENDLESS = """
    import asyncio
    import sys
    from partisan_actors.cli.demo import command
    from partisan_actors.cli.main import run

    play, command.TIMEOUT_S = command.play, 1000.0

    async def play_and_stay(plan, say):
        await play(plan, say)
        await asyncio.Event().wait()

    command.play = play_and_stay
    sys.exit(run(["demo", *sys.argv[1:]]))
"""

# A plain index that has never heard of half of the files.
WRONG = """
    import sys
    from partisan_actors.cli.demo import command, story
    from partisan_actors.cli.demo.index import Index
    from partisan_actors.cli.main import run

    command.TIMEOUT_S = 110.0
    story.Index = lambda root, files: Index(root, files[::2])
    sys.exit(run(["demo", *sys.argv[1:]]))
"""

# As service names are made of it.
NODE = "service.name"

SMALL = ("--quick", "--nodes", "3", "--shards", "6")


def report(program: Program) -> dict[str, Any]:
    """The JSON that a demo printed, after the lines of its progress."""
    found: dict[str, Any] = json.loads(program.output[program.output.index("{") :])
    return found


def nodes_by_trace(file: Path) -> dict[str, set[str]]:
    """The nodes that each trace of a file came to, by its id."""
    found: dict[str, set[str]] = {}
    for line in file.read_text().splitlines():
        for spans in json.loads(line)["resourceSpans"]:
            (node,) = [each["value"]["stringValue"] for each in spans["resource"]["attributes"] if each["key"] == NODE]
            for span in (span for scope in spans["scopeSpans"] for span in scope["spans"]):
                found.setdefault(span["traceId"], set()).add(node)
    return found


def test_the_demo_ends_well_and_shows_what_it_promises(programs: Programs, tmp_path: Path) -> None:
    program = programs.start(DEMO, *SMALL)

    assert program.wait() == 0, program.output
    for text in (
        "The shards of each node",
        "The overlay:",
        "a second before the kill",
        "SIGKILL",
        "until every lost shard",
    ):
        assert text in program.output
    assert "All 100 answers equal" in program.output
    assert str(tmp_path / "partisan-demo-trace.jsonl") in program.output
    assert "Traceback" not in program.output
    program.assert_nothing_left()


def test_a_traced_query_is_one_trace_over_several_nodes(programs: Programs, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    program = programs.start(DEMO, *SMALL, "--trace-file", str(trace), OTEL_TRACES_SAMPLER="always_on")

    assert program.wait() == 0, program.output
    # The driver and both workers that were left; what the third had not exported yet went with it.
    assert max(map(len, nodes_by_trace(trace).values())) >= 3


@pytest.mark.parametrize("seed", ["2", pytest.param("3", marks=pytest.mark.slow)])
def test_every_lost_shard_comes_back_on_another_node_and_every_answer_is_right(programs: Programs, seed: str) -> None:
    program = programs.start(DEMO, *SMALL, "--json", "--seed", seed)

    assert program.wait() == 0, program.output
    found = report(program)
    dead = found["kill"]["node"]
    lost = [shard for shard, node in enumerate(found["before"]) if node == dead]
    assert lost and [each["shard"] for each in found["kill"]["returns"]] == lost
    assert dead not in found["after"] and all(node.startswith("demo-w") for node in found["after"])
    assert dead in found["overlay_before"] and dead not in found["overlay_after"]
    assert found["is_right"] and found["differences"] == []


def test_an_answer_that_differs_from_the_plain_index_makes_the_exit_status_1(programs: Programs) -> None:
    program = programs.start(WRONG, *SMALL, "--json")

    assert program.wait() == 1, program.output
    found = report(program)
    assert not found["is_right"] and found["differences"][0]["cluster"] != found["differences"][0]["plain"]
    program.assert_nothing_left()


@pytest.mark.parametrize("moment", [pytest.param("nodes are up", marks=pytest.mark.slow), "killing node"])
def test_ctrl_c_ends_the_demo_at_once_without_a_traceback(programs: Programs, moment: str) -> None:
    program = programs.start(ENDLESS, *SMALL)
    program.wait_for(moment)

    program.interrupt()

    assert program.wait() == 130
    assert "interrupted" in program.output and "Traceback" not in program.output
    program.assert_nothing_left()


@pytest.mark.parametrize("moment", [pytest.param("nodes are up", marks=pytest.mark.slow), "killing node"])
@pytest.mark.parametrize("within_s", SOON)
def test_soon_after_the_demo_itself_is_killed_nothing_of_it_is_left(
    programs: Programs, moment: str, within_s: float
) -> None:
    program = programs.start(DEMO, *SMALL)
    program.wait_for(moment)

    program.send(signal.SIGKILL)

    program.assert_nothing_left(within_s)


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("--nodes", "1"), 2, "--nodes"),
        (("--shards", "0"), 2, "--shards"),
        (("--trace-file", "/nowhere/at/all/trace.jsonl"), 2, "/nowhere/at/all/trace.jsonl"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    programs: Programs, arguments: tuple[str, ...], status: int, text: str
) -> None:
    program = programs.start(DEMO, *arguments)

    assert program.wait() == status
    assert text in program.lines[-1] and "Traceback" not in program.output
