"""The `partisan` command as people use it: several shells on one machine, which share a directory of running nodes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from partisan_actors.node.rundir import running_clusters
from tests.integration.programs import ROOT, Program, Programs

__all__ = ["Shells", "node_with_script"]

STARTED = "is up at"


class Shells:
    """Starts nodes in shells of their own, and runs commands in others."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self.run_dir = folder / "run"
        self._programs = programs
        self._environment = {"PARTISAN_RUN_DIR": str(self.run_dir)}

    def end(self) -> None:
        """Kill what still runs in the background: no test that fails leaves it behind."""
        for nodes in running_clusters(self.run_dir).values():
            for node in nodes:
                os.kill(node.pid, signal.SIGKILL)

    def start(self, *arguments: str) -> tuple[Program, str]:
        """`partisan start` in the foreground, once the node is up; and its address. A port is taken that is free."""
        bind = () if "--join" in arguments else ("--bind", "127.0.0.1:0")
        program = self.launch(*bind, *arguments)
        line = program.wait_for(STARTED)
        return program, line.partition(STARTED)[2].split()[0]

    def launch(self, *arguments: str) -> Program:
        """`partisan start` in the foreground, whatever comes of it."""
        return self._programs.interpreter("-m", "partisan_actors", "start", *arguments, **self._environment)

    def command(self, *arguments: str) -> Program:
        """Any other command that runs until it is told to end."""
        return self._programs.interpreter("-m", "partisan_actors", *arguments, **self._environment)

    def script(self, source: str, *arguments: str) -> Program:
        """A Python program in a shell of its own."""
        return self._programs.start(source, *arguments, stdin=subprocess.PIPE, **self._environment)

    def partisan(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Any other command, run to its end."""
        return subprocess.run(
            [sys.executable, "-m", "partisan_actors", *arguments],
            cwd=ROOT,
            env={**os.environ, **self._environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def at_terminal(self, *arguments: str, typed: str = "") -> tuple[int, str]:
        """Any other command, run at a terminal by somebody who types `typed`: its exit code and what stood there."""
        ours, terminal = os.openpty()
        os.write(ours, typed.encode())
        with subprocess.Popen(
            [sys.executable, "-m", "partisan_actors", *arguments],
            cwd=ROOT,
            env={**os.environ, **self._environment, "TERM": "xterm", "COLUMNS": "200"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        ) as process:
            os.close(terminal)
            shown = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        return process.returncode, shown.decode()

    def facts(self, *arguments: str) -> Any:
        """What a command that must end well says with --json."""
        result = self.partisan(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


@contextmanager
def node_with_script(folder: Path, source: str, *arguments: str) -> Iterator[Shells]:
    """A node named `first`, started with these arguments, and a script beside it that has said that it is ready."""
    with Programs(folder) as programs:
        shells = Shells(programs, folder)
        try:
            _, address = shells.start("--name", "first", *arguments)
            shells.script(source, address).wait_for("ready")
            yield shells
        finally:
            shells.end()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed: so a terminal on Linux says that this is the end
        return b""
