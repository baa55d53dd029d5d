"""The pages that compare us with Partisan and with Ray name tests that there are, and that run."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.house.source import ROOT

VERDICTS: Final = frozenset({"equal", "better", "different"})
PARTISAN: Final = [
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
RAY: Final = [
    *("M1", "M2", "M3", "M5", "M6", "M7", "M8", "M9", "M30", "M31", "M36", "M37", "M38", "M54"),
    *("M10", "M11", "M12", "M13", "M33", "S77", "S78"),
    *("M14", "M15", "M16", "M17", "M18", "M19", "M20", "M21"),
    *("M22", "M23", "M24", "M25", "M26", "M32", "M34", "M35"),
    *("S72", "S73", "S74", "S80", "S82"),
    *("M27", "M28", "M29", "M47", "S76"),
    *("M39", "M40", "M41", "S65", "S75", "S84"),
    *("S61", "S62", "S63", "S64", "S79", "S81"),
]
DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
PAGES: Final = {"partisan_checklist.md": PARTISAN, "ray_checklist.md": RAY}


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
    body, marks = ast.parse(path.read_text(encoding="utf-8")).body, ""
    for part in name.split("::"):
        found = [node for node in body if isinstance(node, DEFINITIONS) and node.name == part]
        if not found:
            return f"{test}: there is no such test"
        body, marks = found[0].body, marks + " ".join(map(ast.unparse, found[0].decorator_list))
    if isinstance(found[0], ast.ClassDef):
        return f"{test}: there is no such test"
    return f"{test}: it does not run" if re.search(r"\bmark\.(skip|xfail)", marks) else ""


@pytest.mark.parametrize(("page", "rows"), PAGES.items(), ids=PAGES)
def test_the_page_has_every_row_with_a_verdict_and_tests(page: str, rows: list[str]) -> None:
    found = claims((ROOT / "docs" / page).read_text(encoding="utf-8"))

    assert list(found) == rows
    assert all(verdict in VERDICTS and tests for verdict, tests in found.values())


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_the_page_names_is_there_and_runs(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    tests = [test for _, tests in claims(text).values() for test in tests]

    assert [wrong for wrong in map(wrong_with, tests) if wrong] == []


@pytest.mark.parametrize(
    ("test", "wrong"),
    [
        ("test_some.py::test_one", ""),
        ("test_some.py::test_two", "does not run"),
        ("test_some.py::test_three", "no such test"),
        ("test_some.py::TestMore", "no such test"),
        ("test_some.py::TestMore::test_four", ""),
        ("test_some.py::TestMore::test_one", "no such test"),
        ("test_other.py::test_one", "no such file"),
    ],
)
def test_a_planted_mistake_is_found(tmp_path: Path, test: str, wrong: str) -> None:
    text = "import pytest\n\ndef test_one():\n    pass\n\n@pytest.mark.skip\ndef test_two():\n    pass\n"
    text += "\nclass TestMore:\n    def test_four(self):\n        pass\n"
    (tmp_path / "test_some.py").write_text(text)

    assert wrong in wrong_with(test, tmp_path)
    assert bool(wrong) == bool(wrong_with(test, tmp_path))
