"""The project's own files, as the house rules read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "partisan_actors"

# What the tools leave behind, and what git keeps to itself.
_NOT_OURS: Final = frozenset({"__pycache__", "_build", "build", "dist", "htmlcov", "node_modules"})
_HIDDEN_BUT_OURS: Final = frozenset({".ci", ".github", ".gitignore"})


@dataclass(frozen=True)
class Source:
    """One Python file: where it is, from the root of the repository, and what it says."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)


@cache
def package_sources() -> tuple[Source, ...]:
    """Every module of the package, in the order of paths."""
    return tuple(_read(path) for path in files(PACKAGE, ".py"))


@cache
def all_sources() -> tuple[Source, ...]:
    """Every Python file of the repository, in the order of paths."""
    return tuple(_read(path) for path in files(ROOT, ".py"))


def files(folder: Path, *suffixes: str) -> Iterator[Path]:
    """The files below `folder` that belong to the repository; all of them when no suffix is given."""
    for path in sorted(folder.iterdir()):
        name = path.name
        if name in _NOT_OURS or (name.startswith(".") and name not in _HIDDEN_BUT_OURS):
            continue
        if path.is_dir():
            yield from files(path, *suffixes)
        elif not suffixes or path.suffix in suffixes:
            yield path


def _read(path: Path) -> Source:
    return Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
