"""Starting a worker imports nothing that only other nodes need: start-up time is a feature."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.house.source import PACKAGE, ROOT

# Seconds of import time, all told; whoever needs one of them imports it then.
HEAVY: Final = ("aiohttp", "click", "numpy", "opentelemetry", "prometheus_client", "psutil", "rich")
# Little by little they add up; `email` comes with `importlib.metadata`.
NOT_SO_LIGHT: Final = ("decimal", "difflib", "email", "tempfile", "zipfile")
# What a loop looks up addresses with, as if they were names; and what reads the package's version.
FOR_FEW: Final = ("encodings.idna", "importlib.metadata", "stringprep")

# What a node runs when it comes up, and what a user's program imports first.
ENTRANCES: Final = {
    "partisan_actors.actors.system": PACKAGE / "actors" / "system.py",
    "partisan_actors.node.node": PACKAGE / "node" / "node.py",
    "partisan_actors.node.worker": PACKAGE / "node" / "worker.py",
    "partisan_actors.api.worker": PACKAGE / "api" / "worker.py",
    "partisan_actors": PACKAGE / "__init__.py",
}


# What a user's first program does, and then what of its arguments it and its worker have loaded.
CALLING: Final = """
import sys
import partisan_actors as pa

@pa.actor
class Looker:
    async def loaded(self, names):
        import sys
        return [name for name in names if name in sys.modules]

if __name__ == "__main__":
    with pa.init(workers=1):
        there = pa.get(Looker.remote().loaded.remote(sys.argv[1:]))
        print("caller:", *[name for name in sys.argv[1:] if name in sys.modules], sep="")
        print("worker:", *there, sep="")
"""


def existing_entrances() -> list[str]:
    """Those of ENTRANCES that there are: a package in the making has not all of them."""
    return [name for name, path in ENTRANCES.items() if path.exists()]


@pytest.mark.parametrize("module", existing_entrances())
def test_nothing_heavy_is_imported_before_it_is_needed(module: str) -> None:
    assert heavy_imports_of(f"import {module}", (*HEAVY, *NOT_SO_LIGHT)) == []


def test_pytest_loads_our_plugin_and_nothing_else_of_ours() -> None:
    probe = "import sys, partisan_actors.testing.plugin\nprint(*sorted(n for n in sys.modules if n[:8] == 'partisan'))"
    result = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=150)

    assert result.stdout.split() == ["partisan_actors", "partisan_actors.testing", "partisan_actors.testing.plugin"]


def test_a_program_that_only_decorates_has_not_loaded_a_node() -> None:
    # Else workers, which `init` starts first of all, could not load theirs at the same time.
    probe = """
import sys
import partisan_actors as pa

@pa.actor
class Actor:
    def method(self): ...

@pa.task
def task(): ...

pa.init
print(*(name for name in sys.modules if name in ("asyncio", *sys.argv[1:])))
"""
    node = [f"partisan_actors.{name}" for name in ("node.node", "protocols.stack", "api.runtime", "api.inspection")]
    result = subprocess.run(
        [sys.executable, "-c", probe, *node], cwd=ROOT, capture_output=True, text=True, timeout=150, check=True
    )

    assert result.stdout.split() == ["asyncio"]


def test_a_program_that_calls_has_loaded_nothing_that_only_other_programs_need(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(CALLING)
    ours = [f"partisan_actors.{name}" for name in ("cli", "compat", "dashboard", "simulation", "testing", "util")]
    result = subprocess.run(
        [sys.executable, str(program), *HEAVY, *NOT_SO_LIGHT, *FOR_FEW, *ours],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )

    assert result.stdout == "caller:\nworker:\n"


def test_a_planted_import_is_found() -> None:
    assert heavy_imports_of("import click.testing") == ["click"]


def heavy_imports_of(program: str, heavy: tuple[str, ...] = HEAVY) -> list[str]:
    """Which of `heavy` a fresh interpreter has imported after `program`."""
    probe = f"{program}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}} & {set(heavy)!r}))"
    result = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=150, check=True
    )
    return result.stdout.split()
