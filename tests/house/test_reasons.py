"""Whoever silences a tool or leaves work undone says why, on the same line."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from tests.house.source import Source, all_sources

# Each takes what names the silenced rule; what is left of the comment must be a reason.
_SILENCERS: Final = (
    re.compile(r"noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?"),
    re.compile(r"(?:type|pyright|ruff|mypy):\s*(?:ignore|noqa|disable)(?:\[[^\]]*\])?"),
    re.compile(r"pragma:\s*no\s*(?:cover|branch)"),
    re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b"),
)
_REASON: Final = re.compile(r"[A-Za-z]+\W+[A-Za-z]{2,}")


def test_every_silenced_rule_has_its_reason_beside_it() -> None:
    assert unreasoned(all_sources()) == []


@pytest.mark.parametrize(
    "marker",
    [
        "no" + "qa",
        "no" + "qa: BLE001",
        "no" + "qa: E501, F401",
        "type: " + "ignore",
        "type: " + "ignore[arg-type]",
        "type: " + "ignore[arg-type]  # " + "no" + "qa: E501",
        "pragma: no " + "cover",
        "TO" + "DO",
    ],
)
def test_a_planted_silence_without_a_reason_is_found(marker: str) -> None:
    bare = Source("planted.py", f"x = 1  # {marker}\n")
    reasoned = Source("reasoned.py", f"x = 1  # {marker}  # the loop is closed by now\n")

    assert unreasoned([bare, reasoned]) == ["planted.py:1"]


def test_text_in_a_string_is_not_a_comment() -> None:
    assert unreasoned([Source("planted.py", 'x = "# TO' + 'DO"\n')]) == []


def unreasoned(sources: Sequence[Source]) -> list[str]:
    """The places ("path:line") of comments that silence something and give no reason."""
    return [f"{source.path}:{line}" for source in sources for line in _bare_lines(source)]


def _bare_lines(source: Source) -> Iterator[int]:
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type != tokenize.COMMENT:
            continue
        rest = token.string
        for silencer in _SILENCERS:
            rest = silencer.sub(" ", rest)
        if rest != token.string and not _REASON.search(rest):
            yield token.start[0]
