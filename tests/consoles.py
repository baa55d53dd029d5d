"""Console blocks of pages: each command in one is run again, and what it prints replaces what stood there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

__all__ = ["commands_of", "refreshed"]

BLOCK: Final = re.compile(r"^```console\n\$ partisan (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Ids that are others each time.
ID: Final = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,32}\b|\b0{8}\b")


def commands_of(page: Path) -> list[list[str]]:
    """The arguments of each `partisan` command that has a block of its own."""
    return [shlex.split(found[1], comments=True) for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def refreshed(text: str, run: Callable[[list[str]], str], ids: Mapping[str, str], lines_max: int = 30) -> str:
    """The text of a page with what the commands print now.

    `ids` says by which id to replace the one that stands in a command, by the words before it. Of a long output,
    `lines_max` lines are kept.
    """

    def again(found: re.Match[str]) -> str:
        line = found[1]
        for beginning, identity in ids.items():
            if line.startswith(beginning):
                line = ID.sub(identity, line)
        lines = [each.rstrip() for each in run(shlex.split(line, comments=True)).rstrip().splitlines()]
        kept = lines if len(lines) <= lines_max else [*lines[:lines_max], "..."]
        return "\n".join(["```console", f"$ partisan {line}", *kept, "```"])

    return BLOCK.sub(again, text)
