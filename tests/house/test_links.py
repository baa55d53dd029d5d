"""Every link between the project's pages leads to a file that is there, and to a heading that is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pytest

from tests.house.source import ROOT, files

_FENCED: Final = re.compile(r"^(```+|~~~+).*?^\1", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`[^`\n]*`")
_LINK: Final = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
_HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*#*$|^\((\S+)\)=$", re.MULTILINE)
_ELSEWHERE: Final = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def test_every_link_leads_somewhere() -> None:
    pages = list(files(ROOT, ".md"))

    assert any(page.name == "architecture.md" for page in pages)
    assert [broken for page in pages for broken in broken_links(page)] == []


@pytest.mark.parametrize(
    ("link", "is_broken"),
    [
        ("[a](other.md)", False),
        ("[a](other.md#a-heading-of-its-own)", False),
        ("[a](#here)", False),
        ("[a]: other.md", False),
        ("[a](https://example.org/x.md)", False),
        ("`[a](missing.md)`", False),
        ("[a](missing.md)", True),
        ("[a](other.md#missing)", True),
        ("[a](#missing)", True),
        ("![a](missing.png)", True),
        ("[a]: missing.md", True),
    ],
)
def test_a_planted_link_is_followed(tmp_path: Path, link: str, is_broken: bool) -> None:
    (tmp_path / "other.md").write_text("# A heading, of `its` own\n")
    page = tmp_path / "page.md"
    page.write_text(f"## Here\n\n{link}\n\n```\n[a](not/a/link)\n```\n")

    assert bool(list(broken_links(page))) is is_broken


def broken_links(page: Path) -> Iterator[str]:
    """The links of `page` that lead nowhere, as "page -> target"."""
    text = _CODE.sub("", _FENCED.sub("", page.read_text(encoding="utf-8")))
    for found in _LINK.finditer(text):
        target = found[1] or found[2]
        if _ELSEWHERE.match(target):
            continue
        name, _, anchor = unquote(target).partition("#")
        there = page.parent / name if name else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            yield f"{page} -> {target}"


def anchors(page: Path) -> set[str]:
    """What may follow "#" in a link to `page`: its headings, as GitHub and MyST spell them, and its named targets."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return {found[2] or _slug(found[1]) for found in _HEADING.finditer(text)}


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
