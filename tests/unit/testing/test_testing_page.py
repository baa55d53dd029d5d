"""The page on testing actors under faults keeps what it shows: its test runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.house.source import ROOT


def test_the_test_of_the_page_passes(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    program = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "@simulated" in block)
    (tmp_path / "test_register.py").write_text(program, encoding="utf-8")

    plugins = ["-p", "partisan_actors.testing.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *plugins, "--partisan-seeds", "3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=150)

    assert "3 passed" in result.stdout, result.stdout
