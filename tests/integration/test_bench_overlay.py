"""`partisan bench overlay`: many real nodes over TCP, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from partisan_actors.cli.bench.environment import child_environment

COMMAND = [sys.executable, "-m", "partisan_actors", "bench", "overlay", "--json"]


def measured(*options: str, timeout_s: float) -> dict[str, Any]:
    """What one run printed; it must have shown all it has to."""
    done = subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=timeout_s, env=child_environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert all(run["checks"].values()), run["checks"]
    return dict(run)


@pytest.mark.slow
def test_two_dozen_nodes_that_join_at_once_are_one_sound_overlay_and_outlive_a_process() -> None:
    run = measured("--nodes", "24", "--broadcasts", "5", "--rest", "0.5", timeout_s=110.0)

    assert run["shape"]["nodes"] == 24
    assert run["shape"]["one_sided"] == 0
    assert run["broadcasts"]["delivered"] == 5 * 23
    assert run["loss"]["nodes"] == 24 // run["plan"]["processes"]
    assert run["loss"]["shape"]["nodes"] == 24 - run["loss"]["nodes"]
    assert run["rest"]["bytes_per_node_s"] > 0


@pytest.mark.slow
def test_a_benchmark_that_is_interrupted_leaves_no_process_behind() -> None:
    options = ["--nodes", "8", "--rest", "60"]
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=child_environment()
    ) as bench:
        assert bench.stderr is not None
        while "at rest" not in (line := bench.stderr.readline()):
            assert line, "it ended early"
        family = psutil.Process(bench.pid).children(recursive=True)

        os.kill(bench.pid, signal.SIGINT)
        bench.wait(60)

    assert family
    _, alive = psutil.wait_procs(family, timeout=60.0)
    assert not alive
    assert bench.returncode == 130


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_hundred_nodes_that_join_at_once_isolate_nobody() -> None:
    run = measured("--nodes", "200", "--broadcasts", "10", "--rest", "2", timeout_s=280.0)

    assert run["shape"]["largest_part"] == 200
    assert run["shape"]["alone"] == 0


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("options", [["--contacts", "8"], ["--overlay", "full_mesh"], ["--interval", "0.05"]])
def test_however_they_come_and_whatever_the_overlay(options: list[str]) -> None:
    run = measured("--nodes", "48", "--broadcasts", "5", "--rest", "1", *options, timeout_s=100.0)

    assert run["shape"]["largest_part"] == 48


@pytest.mark.perf
@pytest.mark.timeout(600)
def test_a_thousand_nodes_that_join_at_once() -> None:
    begun = time.monotonic()

    run = measured("--nodes", "1000", "--broadcasts", "10", "--limit", "240", timeout_s=580.0)

    print(f"{time.monotonic() - begun:.0f} s in all, {run['sound_s']:.0f} s to one overlay")
    assert run["shape"]["largest_part"] == 1000
