"""The `partisan` command as people use it: several shells on one machine, which share a directory of running nodes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.programs import ROOT, Program, Programs

__all__ = ["Shells"]

STARTED = "is up at"


class Shells:
    """Starts nodes in shells of their own, and runs commands in others."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self.run_dir = folder / "run"
        self._programs = programs
        self._environment = {"PARTISAN_RUN_DIR": str(self.run_dir)}

    def start(self, *arguments: str) -> tuple[Program, str]:
        """`partisan start` in the foreground, once the node is up; and its address. A port is taken that is free."""
        bind = () if "--join" in arguments else ("--bind", "127.0.0.1:0")
        program = self.launch(*bind, *arguments)
        line = program.wait_for(STARTED)
        return program, line.partition(STARTED)[2].split()[0]

    def launch(self, *arguments: str) -> Program:
        """`partisan start` in the foreground, whatever comes of it."""
        return self._programs.interpreter("-m", "partisan_actors", "start", *arguments, **self._environment)

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
            timeout=30,
            check=False,
        )

    def facts(self, *arguments: str) -> Any:
        """What a command that must end well says with --json."""
        result = self.partisan(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)
