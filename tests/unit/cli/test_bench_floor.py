"""The benchmark's floor pair, and that a row's processes are gone when the row is over, however it ended."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from partisan_actors.cli.bench import floor
from partisan_actors.cli.bench.child import MEASURES, measure
from partisan_actors.cli.bench.coordinator import measure_rows
from partisan_actors.cli.bench.environment import child_environment
from partisan_actors.cli.bench.rows import ROWS, Bound, Quantity, Row, Sense, row_named
from partisan_actors.cli.bench.turns import Plan

BRIEF = Plan(sittings=1, rounds=1, turn_s=0.0, repeats=1)
DEADLINE_S = 60.0


async def test_the_floor_adds_and_measures_in_another_process() -> None:
    async with floor.opened() as peer:
        totals = await asyncio.gather(*[peer.add(2) for _ in range(100)])
        size = await peer.size(bytes(1 << 20))
        processes = {process.pid for process in psutil.Process().children()}

    assert totals == list(range(2, 202, 2))
    assert size == 1 << 20
    assert peer.pid in processes


def test_the_floor_ends_with_whoever_opened_it() -> None:
    with floor.serving() as (pid, _):
        assert psutil.pid_exists(pid)

    assert not psutil.pid_exists(pid)


async def test_calls_under_way_fail_when_the_floor_goes_away() -> None:
    async with floor.opened() as peer:
        psutil.Process(peer.pid).suspend()
        call = peer.add(1)
        psutil.Process(peer.pid).kill()

        with pytest.raises(ConnectionError):
            await call


def test_there_is_a_way_to_measure_every_row_of_the_table() -> None:
    assert sorted(MEASURES) == sorted(row.key for row in ROWS)


@pytest.mark.parametrize("key", ["await-own-loop", "sync-method", "in-flight", "bytes-argument"])
def test_the_floor_can_be_compared_with_itself(key: str) -> None:
    found = measure(key, BRIEF, calibrate=True)

    assert found.row == key
    assert all(comparison.floor.median > 0 and comparison.ours.median > 0 for comparison in found.comparisons)
    assert len(found.comparisons) >= 1


def test_a_row_that_hangs_is_given_up_and_leaves_no_process_behind() -> None:
    before = set(psutil.Process().children(recursive=True))

    (found,) = measure_rows(
        [row_named("await-own-loop")], quick=False, calibrate=True, announce=lambda row: None, row_s_max=0.0
    )

    assert found.failure == "no result after 0 s"
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_row_that_crashes_is_told_with_the_last_thing_it_said() -> None:
    unknown = Row("no-such-row", "none", Quantity.ABSOLUTE, Bound(Sense.AT_MOST, 1.0), "s", "It is not.")

    (found,) = measure_rows([unknown], quick=True, calibrate=True, announce=lambda row: None)

    assert "invalid choice" in found.failure


def test_the_command_prints_the_table_and_writes_what_it_measured(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "partisan_actors.cli.bench", "--quick", "--calibrate", "--row", "in-flight"]
    files = ["--json", str(tmp_path / "bench.json"), "--markdown", str(tmp_path / "bench.md")]

    done = subprocess.run([*command, *files], capture_output=True, text=True, env=child_environment(), check=True)

    assert row_named("in-flight").title in done.stdout
    assert [entry["row"] for entry in json.loads((tmp_path / "bench.json").read_text())["rows"]] == ["in-flight"]
    assert (tmp_path / "bench.md").read_text().startswith("# Benchmarks\n")


@pytest.mark.parametrize("strict", [True, False])
def test_a_row_without_a_pass_counts_only_when_strict(strict: bool) -> None:
    command = [sys.executable, "-m", "partisan_actors.cli.bench", "--quick", "--calibrate", "--row", "cold-start"]

    done = subprocess.run([*command, *(["--strict"] if strict else [])], capture_output=True, env=child_environment())

    assert done.returncode == int(strict)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_takes_its_processes_with_it(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "partisan_actors.cli.bench", "--calibrate", "--row", "await-own-loop"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=child_environment()
    ) as bench:
        family = _once_the_floor_is_up(psutil.Process(bench.pid))

        bench.send_signal(number)

        _, alive = psutil.wait_procs(family, timeout=DEADLINE_S)
        assert alive == []


def _once_the_floor_is_up(bench: psutil.Process) -> list[psutil.Process]:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        family = bench.children(recursive=True)
        if len(family) >= 2:  # the row's process, and a floor it has started
            return [bench, *family]
    raise TimeoutError("the row never started its floor")
