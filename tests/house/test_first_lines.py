"""The first line of every module says what it is for: `ls` and first lines are the tour of the house."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final

import pytest

from tests.house.source import Source, all_sources

WORDS_MIN: Final = 3


def test_every_module_opens_with_what_it_is_for() -> None:
    assert mute(all_sources()) == []


@pytest.mark.parametrize("text", ["x = 1", '"""\nToo late.\n"""\nx = 1', '"""Actors."""\nx = 1', "# only a comment"])
def test_a_planted_mute_module_is_found(text: str) -> None:
    assert mute([Source("planted.py", text)]) == ["planted.py"]


def test_an_empty_file_has_nothing_to_explain() -> None:
    assert mute([Source("tests/__init__.py", "\n")]) == []


def mute(sources: Sequence[Source]) -> list[str]:
    """The modules whose docstring is missing, or has no sentence in its first line."""
    return [source.path for source in sources if source.text.strip() and not _speaks(source)]


def _speaks(source: Source) -> bool:
    docstring = ast.get_docstring(source.tree, clean=False) or ""
    return len(docstring.split("\n")[0].split()) >= WORDS_MIN
