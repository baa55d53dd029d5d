"""What readers copy: every Python block of a page is Python, and every name of ours in it exists."""

from __future__ import annotations

import ast
import importlib
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import partisan_actors
from tests.house.source import ROOT

PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "tracing" / "README.md"]
BLOCK: Final = re.compile(r"^( *)```(?:python|py)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
OURS: Final = "partisan_actors"


def blocks_of(page: Path) -> list[str]:
    """The Python blocks of a page, in order."""
    return [textwrap.dedent(found[2]) for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def unknown_names(source: str) -> Iterator[str]:
    """What a block takes from this package and is not there. Raises SyntaxError for what is no Python.

    Pages await at the top, as a notebook would have it.
    """
    tree = compile(source, "page", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    known: dict[str, Any] = {"pa": partisan_actors}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == OURS:
                    known[alias.asname or alias.name] = importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == OURS:
            module = importlib.import_module(str(node.module))
            yield from (f"{node.module}.{alias.name}" for alias in node.names if not hasattr(module, alias.name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = node.value.id
            if name in known and not hasattr(known[name], node.attr):
                yield f"{name}.{node.attr}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=lambda page: page.stem)
def test_each_block_of_a_page_is_python_and_its_names_of_ours_exist(page: Path) -> None:
    missing = {number: list(unknown_names(block)) for number, block in enumerate(blocks_of(page))}

    assert not any(missing.values()), missing


def test_names_that_are_not_there_and_what_is_no_python_are_found() -> None:
    assert list(unknown_names("import partisan_actors as pa\nfrom partisan_actors.util import Nope\npa.got(1)\n")) == [
        "partisan_actors.util.Nope",
        "pa.got",
    ]
    assert list(unknown_names("await pa.monitor(x)")) == []
    with pytest.raises(SyntaxError):
        list(unknown_names("def :"))
