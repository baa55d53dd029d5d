"""The public surface is decided, not grown: `__all__` of the root is exactly what the reference page lists."""

from __future__ import annotations

import importlib
import re
from typing import Final

from tests.house.source import PACKAGE, ROOT

REFERENCE: Final = ROOT / "docs" / "reference" / "api.md"

# A row of a table whose first cell is a name in code: "| `actor` | what it is |".
_ROW: Final = re.compile(r"^\|\s*`(?:pa\.)?([A-Za-z_]\w*)(?:\([^`]*\))?`\s*\|", re.MULTILINE)


def test_the_root_exports_exactly_what_the_reference_page_lists() -> None:
    assert listed(REFERENCE.read_text(encoding="utf-8")) == sorted(importlib.import_module("partisan_actors").__all__)


def test_every_public_name_can_be_imported() -> None:
    package = importlib.import_module("partisan_actors")

    assert len(package.__all__) == len(set(package.__all__))
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(package.__all__) <= set(dir(package))


def test_the_root_defines_nothing_itself_but_how_names_are_found() -> None:
    text = (PACKAGE / "__init__.py").read_text(encoding="utf-8")

    assert re.findall(r"^\s*(?:async )?(?:def|class) (\w+)", text, re.MULTILINE) == ["__getattr__", "__dir__"]


def test_a_row_of_the_page_is_read_as_a_name() -> None:
    page = "| name | what |\n|---|---|\n| `pa.actor` | x |\n| `get(ref)` | `y` |\n| plain | z |\n"

    assert listed(page) == ["actor", "get"]


def listed(page: str) -> list[str]:
    """The names in the first cells of the page's tables, sorted."""
    return sorted(_ROW.findall(page))
