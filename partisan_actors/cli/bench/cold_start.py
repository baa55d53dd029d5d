"""How long a user waits for the first answer after starting Python on a short program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from partisan_actors.cli.bench.environment import child_environment
from partisan_actors.cli.bench.samples import Summary
from partisan_actors.cli.bench.turns import Plan

__all__ = ["cold_start"]

ANSWER = "up"
PROGRAM = f"""\
import partisan_actors as pa

@pa.actor
class Echo:
    async def say(self, word):
        return word

with pa.init(workers=1):
    print(pa.get(Echo.remote().say.remote({ANSWER!r})), flush=True)
"""
STOP_S = 10.0


def cold_start(plan: Plan) -> Summary:
    """Seconds from starting an interpreter to its first answer, over `plan.repeats` after one that is not recorded."""
    with TemporaryDirectory(prefix="partisan-bench-") as folder:
        program = Path(folder) / "first_answer.py"
        program.write_text(PROGRAM)
        waits = [_seconds_to_first_answer(program) for _ in range(plan.repeats + 1)]
    return Summary.of([[wait] for wait in waits[1:]])


def _seconds_to_first_answer(program: Path) -> float:
    begin = perf_counter()
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, env=child_environment())
    assert process.stdout is not None
    try:
        answer = process.stdout.readline().decode().strip()
        waited = perf_counter() - begin
        process.wait(STOP_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
    if answer != ANSWER or process.returncode != 0:
        raise RuntimeError(f"the program answered {answer!r} and ended with status {process.returncode}")
    return waited
