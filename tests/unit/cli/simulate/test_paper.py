"""`partisan simulate paper`: tables for people, JSON for programs, pages, and bad arguments that cost no time."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from partisan_actors.cli.main import run
from partisan_actors.cli.simulate import figure, paper
from partisan_actors.simulation.papers.judging import Quantity, Result, judge

REACH = Quantity("reach 80% message 1", "80 % failed, message 1, reach %", line="80 % failed", x=1)
FIRST = Quantity("reach 60% message 0", "60 % failed, message 0, reach %", oracle=70.9, line="60 % failed")
HIDDEN = Quantity("reach 80% message 2", "80 % failed, message 2, reach %", in_table=False)


def result(second: float, third: float = 99.0) -> Result:
    seen = {REACH.key: second, FIRST.key: 84.0, HIDDEN.key: third}
    return judge("hyparview-recovery", "Recovery", 10_000, [1, 2], [REACH, FIRST, HIDDEN], [seen, seen], ["A note."])


def measured(monkeypatch: pytest.MonkeyPatch, *results: Result) -> list[tuple[Any, ...]]:
    """Let the command get these without measuring; what it asked for."""
    asked: list[tuple[Any, ...]] = []

    def instead(*arguments: Any) -> list[Result]:
        asked.append(arguments)
        return list(results)

    monkeypatch.setattr(paper, "run", instead)
    return asked


def test_ours_stand_beside_published_values_theory_and_bands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured(monkeypatch, result(82.0))

    status = run(["simulate", "paper", "hyparview-recovery"])

    output = capsys.readouterr().out
    assert status == 0
    for text in (
        "81.46",
        "70.00 - 100.00",
        "pass",
        "55.11 (?)",
        "70.90",
        "A note.",
        "mean of three runs",
        "2 of 2 bands",
    ):
        assert text in output
    assert "message 2" not in output


def test_a_broken_band_is_shown_and_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured(monkeypatch, result(82.0, third=12.0))

    status = run(["simulate", "paper", "hyparview-recovery"])

    output = capsys.readouterr().out
    assert status == 1
    assert "message 2" in output and "fail" in output and "1 of 2 bands" in output


def test_as_json_everything_is_there_and_nothing_else_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = measured(monkeypatch, result(82.0))

    run(["simulate", "paper", "hyparview-recovery", "--json", "--nodes", "500", "--seeds", "3", "--first-seed", "7"])

    read = json.loads(capsys.readouterr().out)
    assert asked[0][:3] == (["hyparview-recovery"], 500, range(7, 10))
    assert [row["key"] for row in read["rows"]] == [REACH.key, FIRST.key, HIDDEN.key]
    assert read["rows"][1]["published"]["doubt"]


def test_a_page_has_the_table_in_markdown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measured(monkeypatch, result(82.0))
    page = tmp_path / "papers.md"

    run(["simulate", "paper", "hyparview-recovery", "--markdown", str(page)])

    text = page.read_text(encoding="utf-8")
    assert "## Recovery" in text and "| 80 % failed, message 1, reach % | 82.00 |" in text
    assert "![" not in text


def test_a_page_shows_the_figures_that_were_drawn_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="only the documentation needs it")
    measured(monkeypatch, result(82.0))
    (tmp_path / "figures").mkdir()
    page, drawing = tmp_path / "papers.md", tmp_path / "figures" / "recovery.svg"

    run(["simulate", "paper", "hyparview-recovery", "--markdown", str(page), "--figure", str(drawing)])

    assert "](figures/recovery.svg)" in page.read_text(encoding="utf-8")
    assert drawing.exists()


def test_a_real_run_goes_through_and_tells_its_progress(capsys: pytest.CaptureFixture[str]) -> None:
    status = run(["simulate", "paper", "hyparview-recovery", "--nodes", "150", "--seeds", "1"])

    captured = capsys.readouterr()
    assert status == 0
    assert "hyparview-recovery: seed 1 took" in captured.err
    assert "60 % failed, message 0" in captured.out and "150 nodes" in captured.out


def test_an_interruption_ends_it_at_once_with_one_line() -> None:
    command = [sys.executable, "-m", "partisan_actors", "simulate", "paper", "hyparview-recovery", "--jobs", "2"]
    process = subprocess.Popen(
        [*command, "--nodes", "150", "--seeds", "1000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that, as at a terminal, the interruption reaches all of its processes
    )
    assert process.stderr is not None
    first = process.stderr.readline()  # work is under way

    os.killpg(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=120)

    assert "took" in first
    assert process.returncode == 130
    assert rest.splitlines()[-1] == "partisan: interrupted"
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["no-such-paper"], "hyparview-recovery"),
        (["hyparview-graph", "--nodes", "99"], "99"),
        (["hyparview-graph", "--seeds", "0"], "0"),
        (["hyparview-graph", "--figure", "drawing.txt"], ".svg"),
        (["hyparview-graph", "--figure", "no-such-folder/drawing.svg"], "no-such-folder"),
        (["hyparview-graph", "--markdown", "no-such-folder/page.md"], "no-such-folder"),
        (["all", "--figure", "no-such-folder"], "no-such-folder"),
    ],
)
def test_bad_arguments_cost_no_time_and_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    asked = measured(monkeypatch)

    assert run(["simulate", "paper", *arguments]) == 2
    assert text in capsys.readouterr().err
    assert asked == []


def test_without_matplotlib_one_is_told_how_to_get_it_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = measured(monkeypatch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert run(["simulate", "paper", "hyparview-graph", "--figure", str(tmp_path / "a.svg")]) == 1
    assert "pip install 'partisan-actors[docs]'" in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_figure_is_drawn_and_is_the_same_every_time(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib", reason="only the documentation needs it")
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"

    for file in (first, second):
        figure.draw(result(82.0), file)

    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 5000
    if suffix == ".svg":
        assert "80 % failed" in first.read_text(encoding="utf-8")
