"""The floors of docs/architecture.md hold, and the contracts that say so do catch who breaks them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import PACKAGE, ROOT

_LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"


def test_the_contracts_are_kept() -> None:
    result = lint(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "text", "contract"),
    [
        ("ids_planted", "x = 1", "Floors"),
        ("wire/planted", "def f() -> None:\n    import partisan_actors.transport.tcp", "Floors"),
        ("protocols/planted", "x = 1", "Inside protocols"),
        ("protocols/broadcast/planted", "import partisan_actors.protocols.membership.strategy", "Inside protocols"),
        ("wire/planted", "import time", "Pure"),
        ("scheduler/policy", "import asyncio", "Pure"),
        ("telemetry/planted", "import aiohttp", "Third parties"),
        ("scheduler/planted", "import partisan_actors.transport.tcp", "Above the node"),
    ],
)
def test_a_planted_import_breaks_its_contract(tmp_path: Path, module: str, text: str, contract: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "partisan_actors", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "partisan_actors" / f"{module}.py").open("a", encoding="utf-8") as planted:
        planted.write(f"\n{text}\n")

    result = lint(tmp_path)

    assert result.returncode != 0
    assert any(line.startswith(contract) and "BROKEN" in line for line in result.stdout.splitlines()), result.stdout


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of `root`'s pyproject.toml against `root`'s package."""
    # A wide terminal, so that no line of the answer is wrapped.
    environment = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "300", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", _LINT],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
