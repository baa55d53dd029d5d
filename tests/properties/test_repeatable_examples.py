"""Properties see the same examples in every process, whatever else it has imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.house.source import ROOT

PROGRAM = """
import sys

from hypothesis import given, settings, strategies

from tests import conftest

conftest.draw_no_constants()
if len(sys.argv) > 1:
    sys.path.insert(0, sys.argv[1])
    import has_odd_numbers

drawn = []


@settings(max_examples=300)
@given(strategies.integers())
def draw(number):
    drawn.append(number)


draw()
print(drawn)
"""


def drawn(*arguments: str) -> str:
    program = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=150, check=True).stdout


def test_what_else_is_imported_changes_no_example(tmp_path: Path) -> None:
    (tmp_path / "has_odd_numbers.py").write_text("".join(f"N{n} = {10**9 + n}\n" for n in range(100)))

    examples = drawn()

    assert len(examples.split(",")) > 100
    assert drawn(str(tmp_path)) == examples
