"""Nothing in the repository knows the machine or the account it was written on, nor one particular package index."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from tests.house.source import ROOT, files

# In pieces, so that this file does not break its own rule.
_TRACES: Final = re.compile(
    "|".join(
        (
            r"(?<![\w.~*-])/wo" + r"rk/",
            r"/ro" + r"ot/",
            r"/ho" + r"me/\w",
            r"/Us" + r"ers/\w",
            r"/tm" + r"p/dev\b",
            r"/op" + r"t/(?:pypi|wheels)",
            r"python" + r"hosted\.org",
            r"py" + r"pi\.org/simple",
            r"registry\.npm" + r"js\.org",
            r"deb\.deb" + r"ian\.org",
            r"sand" + r"box session",
            r"this work" + r"place",
        )
    ),
    re.IGNORECASE,
)


def test_no_file_names_a_private_path_or_a_package_host() -> None:
    assert traces((path.relative_to(ROOT).as_posix(), _text(path)) for path in files(ROOT)) == []


@pytest.mark.parametrize(
    "text", ["see /wo" + "rk/notes", "pip -i https://py" + "pi.org/simple", "in this Work" + "place"]
)
def test_a_planted_trace_is_found(text: str) -> None:
    assert len(traces([("planted.md", text)])) == 1


def test_a_path_that_only_looks_like_one_is_left_alone() -> None:
    assert traces([("fine.md", "src/work/queue and https://pypi.org/project/msgpack")]) == []


def traces(texts: Iterable[tuple[str, str]]) -> list[str]:
    """Where (path: what) a text names a machine, an account or a package host."""
    return [f"{path}: {found.group()}" for path, text in texts for found in _TRACES.finditer(text)]


def _text(path: Path) -> str:
    # Pictures and other bytes have nothing to read; a null byte tells them.
    data = path.read_bytes()
    return "" if b"\0" in data else data.decode("utf-8")
