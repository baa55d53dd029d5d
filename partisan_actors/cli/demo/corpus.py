"""The demo's input: the source files of the running Python's standard library, and queries drawn from them."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

from partisan_actors.cli.demo.index import read_words

__all__ = ["deal", "draw_queries", "source_files", "standard_library", "thin"]

# Not the standard library itself: what was installed beside it, and what tests it.
_SKIPPED: Final = frozenset({"__pycache__", "site-packages", "dist-packages", "test", "tests", "idle_test"})

_WORDS_IN_A_QUERY: Final = (2, 3)
_MIXED_SHARE: Final = 0.2


def standard_library() -> Path:
    """The folder that the standard library of this Python is in."""
    return Path(sysconfig.get_path("stdlib"))


def source_files(root: Path) -> list[str]:
    """The paths of the Python files below `root`, relative to it, in the same order every time.

    Raises FileNotFoundError when there are none, as in a Python whose library is one archive.
    """
    found = sorted(_walk(root))
    if not found:
        raise FileNotFoundError(f"{root} holds no Python source files to make an index of")
    return found


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        for name in names:
            if name.endswith(".py"):
                yield Path(folder, name).relative_to(root).as_posix()


def thin(files: Sequence[str], most: int) -> list[str]:
    """At most `most` of the files, from all over the list."""
    step = -(-len(files) // most)
    return list(files[::step])


def deal(files: Sequence[str], shards: int) -> list[list[str]]:
    """The files dealt out like cards, so that the shards are about equal."""
    return [list(files[first::shards]) for first in range(shards)]


def draw_queries(root: Path, files: Sequence[str], count: int, rng: Random) -> list[str]:
    """`count` queries of some words each. Most take their words from one file, so that at least that one answers."""
    return [_draw(root, files, rng) for _ in range(count)]


def _draw(root: Path, files: Sequence[str], rng: Random) -> str:
    sources = 2 if rng.random() < _MIXED_SHARE else 1
    # Sorted, because the order of a set differs from run to run, and the same seed is to draw the same words.
    words = sorted({word for file in rng.choices(files, k=sources) for word in read_words(root, file)})
    return " ".join(rng.sample(words, min(len(words), rng.choice(_WORDS_IN_A_QUERY))))
