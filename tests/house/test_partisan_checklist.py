"""The page that compares us with Partisan names tests that there are, and that run."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.house.source import ROOT

PAGE: Final = ROOT / "docs" / "partisan_checklist.md"
VERDICTS: Final = frozenset({"equal", "better", "different"})
ROWS: Final = [
    *(f"N{number}" for number in range(1, 11)),
    *(f"C{number}" for number in range(1, 5)),
    *(f"K{number}" for number in range(1, 4)),
    *(f"F{number}" for number in range(1, 9)),
    *(f"A{number}" for number in range(1, 6)),
    *(f"R{number}" for number in range(1, 4)),
    *(f"O{number}" for number in range(2, 10)),
    *(f"I{number}" for number in range(1, 5)),
    *(f"M{number}" for number in range(1, 13)),
    *(f"G{number}" for number in range(1, 4)),
    *(f"H{number}" for number in range(1, 11)),
    *(f"P{number}" for number in range(1, 8)),
]


def claims(page: str) -> dict[str, tuple[str, list[str]]]:
    """Of each row that claims something: the verdict, and the ids of its tests."""
    cells = [line.strip("|").split("|") for line in page.splitlines() if re.match(r"\| [A-Z]\d+ \|", line)]
    return {each[0].strip(): (each[2].strip(), re.findall(r"`([^`]+)`", each[3])) for each in cells if len(each) == 4}


def wrong_with(test: str, tests: Path = ROOT / "tests") -> str:
    """What is wrong with the id of a test; nothing if it is there and runs."""
    file, _, name = test.partition("::")
    path = tests / file
    if not path.is_file():
        return f"{test}: there is no such file"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            marks = " ".join(map(ast.unparse, node.decorator_list))
            return f"{test}: it does not run" if re.search(r"\bmark\.(skip|xfail)", marks) else ""
    return f"{test}: there is no such test"


def test_the_page_has_every_row_with_a_verdict_and_tests() -> None:
    found = claims(PAGE.read_text(encoding="utf-8"))

    assert list(found) == ROWS
    assert all(verdict in VERDICTS and tests for verdict, tests in found.values())


def test_every_test_that_the_page_names_is_there_and_runs() -> None:
    tests = [test for _, tests in claims(PAGE.read_text(encoding="utf-8")).values() for test in tests]

    assert [wrong for wrong in map(wrong_with, tests) if wrong] == []


@pytest.mark.parametrize(
    ("test", "wrong"),
    [
        ("test_some.py::test_one", ""),
        ("test_some.py::test_two", "does not run"),
        ("test_some.py::test_three", "no such test"),
        ("test_other.py::test_one", "no such file"),
    ],
)
def test_a_planted_mistake_is_found(tmp_path: Path, test: str, wrong: str) -> None:
    text = "import pytest\n\ndef test_one():\n    pass\n\n@pytest.mark.skip\ndef test_two():\n    pass\n"
    (tmp_path / "test_some.py").write_text(text)

    assert wrong in wrong_with(test, tmp_path)
    assert bool(wrong) == bool(wrong_with(test, tmp_path))
