"""`partisan start --detach`: the same nodes, in a process of their own that outlives the shell.

The child gets the plan as JSON on its standard input, writes its output to a log file, and reports through a pipe: how
many nodes are up, and once what it started, or why it could not. The parent waits for that line; a pipe that closes
without one is a child that died.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, Final

import click

from partisan_actors.cli.failure import ExitCode, Failure, explain
from partisan_actors.cli.plan import StartPlan
from partisan_actors.cli.progress import Steps, steps
from partisan_actors.cli.serving import Story, run
from partisan_actors.errors import PartisanError
from partisan_actors.node.rundir import run_dir

__all__ = ["main", "start_detached"]

LOGS_KEPT: Final = 20
TAIL_LINES: Final = 5
# What a line of the report begins with that says how many nodes are up so far.
PROGRESS: Final = b"up "


def start_detached(plan: StartPlan, log_file: Path | None, *, as_json: bool) -> None:
    """Start the nodes in the background and tell of them. Raises Failure when they cannot start."""
    path = (log_file or _new_log_file(plan.config["name"])).absolute()
    reading, writing = os.pipe()
    with open(path, "ab", opener=_private) as log, os.fdopen(reading, "rb") as pipe:
        child = subprocess.Popen(
            [sys.executable, "-m", "partisan_actors.cli.detached"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
            start_new_session=True,
        )
        os.close(writing)
        try:
            assert child.stdin is not None
            child.stdin.write(json.dumps({"plan": {**plan.plain(), "log": str(path)}, "report_to": writing}).encode())
            child.stdin.close()
            with steps("nodes that are up", plan.nodes, quiet=as_json or plan.nodes == 1) as progress:
                while (line := pipe.readline()).startswith(PROGRESS):
                    progress.reach(int(line.removeprefix(PROGRESS)))
        except BaseException:  # Ctrl-C, while it starts
            child.kill()
            raise
    if not line:
        status = child.wait()
        tail = "; ".join(path.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        raise Failure(f"the node's process ended with status {status}: {tail} (log: {path})", ExitCode.OTHER)
    report: dict[str, Any] = json.loads(line)
    if "error" in report:
        child.wait()
        raise Failure(report["error"], ExitCode(report["code"]))
    Story(as_json=as_json).started(report, plan.hint())
    if not as_json:
        click.echo(f"  log          {path}")
    # It is nobody's child any more: without this, Python would warn that it still runs.
    child.returncode = 0


def main() -> None:
    """The life of the process in the background."""
    order = json.load(sys.stdin)
    _close_stdin()
    with os.fdopen(order["report_to"], "w") as pipe:
        try:
            status = run(StartPlan(**order["plan"]), _Reporting(pipe))
        except PartisanError as error:
            failure = explain(error)
            pipe.write(json.dumps({"error": failure.message, "code": failure.code}) + "\n")
            click.echo(failure.message, err=True)
            status = failure.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class _Reporting(Story):
    """Tells the parent of the start, and the log of everything."""

    def __init__(self, pipe: IO[str]) -> None:
        super().__init__()
        self._pipe = pipe
        self._told = 0

    def starting(self, total: int) -> AbstractContextManager[Steps]:
        return nullcontext(Steps(total, self._progress))

    def _progress(self, done: int, text: str) -> None:
        if done != self._told:  # it hears of the same again and again
            self._told = done
            self._pipe.write(f"{PROGRESS.decode()}{done}\n")
            self._pipe.flush()

    def started(self, facts: dict[str, Any], hint: str) -> None:
        super().started(facts, hint)
        self._pipe.write(json.dumps(facts) + "\n")
        self._pipe.close()


def _new_log_file(name: str) -> Path:
    """A place for the log, beside the files of the running nodes; of older logs, LOGS_KEPT are kept."""
    folder = run_dir() / "log"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
    for old in logs[:-LOGS_KEPT]:
        old.unlink(missing_ok=True)
    return folder / f"{name}.log"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _close_stdin() -> None:
    # Actors that read standard input find its end.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


if __name__ == "__main__":
    main()
