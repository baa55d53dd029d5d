"""No file, folder or class has a name that means nothing: such names attract everything."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Final

import pytest

from tests.house.source import Source, all_sources

EMPTY_WORDS: Final = frozenset({"common", "helper", "manager", "misc", "util", "utility"})


# What people look for under the name that Ray gave it.
RAYS_NAMES: Final = (
    "partisan_actors/util/",
    "partisan_actors/compat/ray/util/",
    "partisan_actors/compat/ray/cluster_utils.py",
    "tests/unit/util/",
)


def test_every_name_says_what_it_is() -> None:
    assert empty_names(all_sources()) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pkg/utils.py", ""),
        ("pkg/string_helpers.py", ""),
        ("pkg/common/clock.py", ""),
        ("pkg/actor.py", "class ActorManager: ..."),
    ],
)
def test_a_planted_empty_name_is_found(path: str, text: str) -> None:
    assert len(empty_names([Source(path, text)])) == 1


def test_a_word_that_only_contains_one_is_left_alone() -> None:
    assert empty_names([Source("pkg/commonwealth.py", "class Miscount: ...")]) == []


def empty_names(sources: Sequence[Source]) -> list[str]:
    """The paths and classes whose name has one of EMPTY_WORDS in it, in singular or plural."""
    found = []
    for source in sources:
        path = source.path
        for folder in RAYS_NAMES:
            path = path.removeprefix(folder)
        parts = path.removesuffix(".py").split("/")
        if any(_is_empty(word) for part in parts for word in part.split("_")):
            found.append(source.path)
        classes = [node.name for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
        found += [f"{source.path}:{name}" for name in classes if any(map(_is_empty, re.findall("[A-Z][a-z]*", name)))]
    return found


def _is_empty(word: str) -> bool:
    word = word.lower()
    return bool({word, word.removesuffix("s"), word.removesuffix("ies") + "y"} & EMPTY_WORDS)
