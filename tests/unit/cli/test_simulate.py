"""`partisan simulate run` and `swarm`: what they print, what they save, and what they refuse."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from partisan_actors.cli.main import run
from partisan_actors.faults.plan import FaultPlan

NAIVE = "tests.simulation.naive_mesh:NaiveMesh"
CUT = {"do": "cut", "at_s": 5, "until_s": 9, "side": ["n1", "n2"], "one_way": True}


def plan_file(folder: Path, *operations: dict[str, object]) -> str:
    file = folder / "plan.json"
    file.write_text(json.dumps({"version": 1, "operations": operations}))
    return str(file)


def test_a_run_that_holds_is_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "run", "--nodes", "8", "--seed", "4", "--plan", plan_file(tmp_path, CUT)]) == 0

    output = capsys.readouterr().out
    for text in ("hyparview with plumtree, 8 nodes", "connected    yes", "symmetric    yes", "hyparview.shuffle",
                 "every check held"):  # fmt: skip  # one list
        assert text in output


def test_as_json_the_summary_is_the_same_for_the_same_options_and_the_trace_has_every_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.txt"
    line = ["simulate", "run", "--nodes", "6", "--plan", plan_file(tmp_path, CUT), "--json"]

    assert run([*line, "--trace", str(trace)]) == run(line) == 0

    joined = capsys.readouterr().out.replace("}\n{", "},{")
    first, second = json.loads(f"[{joined}]")
    assert first == second
    assert first["failure"] is None and first["connected"] and first["symmetric"]
    assert first["messages"]["plumtree.gossip"] > 0
    assert len(trace.read_text().splitlines()) == first["events"]


def test_a_failed_check_is_told_with_seed_and_time_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--overlay", NAIVE, "--nodes", "6", "--seed", "3", "--within", "20", "--plan", plan_file(tmp_path, CUT)]

    assert run(["simulate", "run", *options]) == 1
    failed = capsys.readouterr().out
    assert run(["simulate", "run", *options, "--overlay-option", "mended=true"]) == 0

    assert "FAILED: seed 3, at " in failed and "one-sided links" in failed


def test_a_swarm_prints_the_command_that_repeats_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = ["--overlay", NAIVE, "--nodes-max", "8", "--within", "20"]
    line = [*cluster, "--first-seed", "11", "--seeds", "1", "--jobs", "1", "--out", str(tmp_path / "found")]

    assert run(["simulate", "swarm", *line, "--json"]) == 1

    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == 1 and found["situations"]["naive_mesh.hello answers=True"] > 0
    failure = found["failures"][0]
    assert failure["operations"] <= 3
    assert len(FaultPlan.from_json(Path(failure["plan"]).read_bytes()).operations) == failure["operations"]
    words = shlex.split(failure["command"])
    assert words[0] == "partisan"
    assert run(words[1:]) == 1
    assert f"FAILED: {failure['failure']}" in capsys.readouterr().out


def test_a_plan_that_cannot_be_written_is_shown_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = ["--overlay", NAIVE, "--nodes-max", "8", "--within", "20", "--first-seed", "11", "--seeds", "1"]
    out = tmp_path / "found"
    out.mkdir()
    (out / "tests.simulation.naive_mesh.NaiveMesh-11.json").mkdir()  # in the way

    assert run(["simulate", "swarm", *cluster, "--jobs", "1", "--out", str(out)]) == 1

    errors = capsys.readouterr().err
    assert "(Is a directory), which would be:" in errors and '"operations": [' in errors


def test_a_swarm_in_several_processes_finds_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def summary(jobs: int) -> dict[str, object]:
        line = ["simulate", "swarm", "--seeds", "4", "--nodes-max", "6", "--jobs", str(jobs), "--json"]
        assert run([*line, "--out", str(tmp_path)]) == 0
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        del found["seconds"]
        return found

    assert summary(1) == summary(2)


def test_ctrl_c_ends_a_swarm_with_the_summary_of_what_was_done(tmp_path: Path) -> None:
    line = ["simulate", "swarm", "--minutes", "5", "--jobs", "2", "--nodes-max", "6", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "partisan_actors", *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline(), "how far it is, or what has failed"

    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)

    assert process.returncode == 130
    assert "Traceback" not in errors
    assert re.search(r"^[1-9]\d* runs? with \d+ steps in \S+ s, interrupted$", output, re.MULTILINE)


def test_a_strategy_in_the_working_directory_is_found_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from partisan_actors.protocols.membership.full_mesh import FullMesh\n\n\nclass Mine(FullMesh): ...\n"
    )
    line = ["simulate", "swarm", "--overlay", "mine:Mine", "--nodes-max", "4", "--seeds", "2", "--jobs", "2"]

    script = Path(sys.executable).parent / "partisan"
    result = subprocess.run([script, *line], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    assert "2 runs" in result.stdout and "0 failures" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["run", "--overlay", "rong"], "overlay"),
        (["run", "--overlay", "no.such.module:Class"], "overlay"),
        (["run", "--overlay-option", "active_max=1"], "active_max"),
        (["run", "--overlay-option", "surplus=1"], "surplus"),
        (["run", "--overlay-option", "surplus"], "KEY=VALUE"),
        (["run", "--latency", "warp"], "uniform:LOW:HIGH"),
        (["run", "--nodes", "0"], "--nodes"),
        (["run", "--rate", "-1"], "per_s"),
        (["run", "--rate", "nan"], "per_s"),
        (["run", "--plan", "nowhere.json"], "nowhere.json"),
        (["run", "--trace", "nowhere/trace.txt"], "there is no folder nowhere"),
        (["swarm", "--out", "/dev/null/plans"], "/dev/null is no folder"),
        (["run", "--trace", f"{'long' * 100}.txt"], "File name too long"),
        (["run", "--nodes", "3", "--trace", "/dev/full"], "cannot write /dev/full: No space left on device"),
        (["swarm", "--out", f"{'long' * 100}/plans"], "cannot write into"),
        (["swarm", "--minutes", "nan"], "--minutes"),
        (["swarm", "--overlay", "rong"], "overlay"),
        (["swarm", "--seeds", "0"], "--seeds"),
        (["swarm", "--minutes", "0"], "--minutes"),
        (["swarn"], "did you mean 'swarm'?"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", *arguments]) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert text in line


def test_a_plan_with_an_error_says_in_which_file_and_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = plan_file(tmp_path, CUT, {"do": "loss", "at_s": 1, "until_s": 2, "rate": 1.5})

    assert run(["simulate", "run", "--plan", file]) == 2

    assert f"{file}: operations[1].rate = 1.5 is not valid: expected a number from 0 to 1" in capsys.readouterr().err


def test_a_plan_that_names_a_node_that_is_not_in_the_run_says_in_which_file_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = plan_file(tmp_path, {"do": "crash", "at_s": 1, "nodes": ["n1", "n3"]})

    assert run(["simulate", "run", "--nodes", "3", "--plan", file]) == 2

    assert f"{file}: operations[0].nodes[1] = 'n3' is not valid: expected one of" in capsys.readouterr().err
