"""Gives each row a process of its own, and sees to it that nothing of that process is left when the row is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from partisan_actors.cli.bench.environment import child_environment
from partisan_actors.cli.bench.rows import Row
from partisan_actors.cli.bench.samples import Measurement

__all__ = ["measure_rows"]

ROW_S_MAX = 120.0
"""A row that takes longer than this is hanging."""
STOP_S = 3.0
"""How long a row's processes may take to leave once told to."""
COMPLAINT_CHARACTERS_MAX = 300


def measure_rows(
    rows: Sequence[Row],
    *,
    quick: bool,
    calibrate: bool,
    announce: Callable[[Row], None],
    row_s_max: float = ROW_S_MAX,
) -> list[Measurement]:
    """Measure the rows one after another. A row that fails or hangs yields a measurement that says so."""
    found: list[Measurement] = []
    with TemporaryDirectory(prefix="partisan-bench-") as folder:
        for row in rows:
            announce(row)
            found.append(_measure_row(row, Path(folder), _options(quick, calibrate), row_s_max))
    return found


def _options(quick: bool, calibrate: bool) -> list[str]:
    return [*(["--quick"] if quick else []), *(["--calibrate"] if calibrate else [])]


def _measure_row(row: Row, folder: Path, options: Sequence[str], row_s_max: float) -> Measurement:
    result = folder / f"{row.key}.json"
    output = folder / f"{row.key}.txt"
    command = [sys.executable, "-m", "partisan_actors.cli.bench.child", row.key, "--result", str(result), *options]
    with output.open("wb") as sink, _started(command, sink.fileno()) as process:
        try:
            status = process.wait(row_s_max)
        except subprocess.TimeoutExpired:
            return Measurement(row.key, failure=f"no result after {row_s_max:g} s")
    if status == 0 and result.exists():
        return Measurement.from_json(json.loads(result.read_text()))
    return Measurement(row.key, failure=_complaint(output, status))


@contextmanager
def _started(command: Sequence[str], sink: int) -> Iterator[subprocess.Popen[bytes]]:
    # A session of its own, so that Ctrl-C at the terminal reaches this process alone, and it ends the row in order.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=sink, stderr=sink, env=child_environment(), start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _end(process)
        assert process.stdin is not None
        process.stdin.close()  # open until here: the row takes its end for the end of this process
        # Nothing should be left of the row's process group by now. If something is, it must not disturb the next row.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    family = [psutil.Process(process.pid)]
    with suppress(psutil.NoSuchProcess):
        family += family[0].children(recursive=True)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()  # psutil looks at the start time too, so a pid that was given away again is safe
    process.wait()


def _complaint(output: Path, status: int) -> str:
    lines = [line.strip() for line in output.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:COMPLAINT_CHARACTERS_MAX] if lines else f"ended with status {status} and said nothing"
