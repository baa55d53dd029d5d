"""The page of events says of each kind exactly what the table in the code says."""

from __future__ import annotations

import re
from typing import Final

from partisan_actors.api.deadlock_watch import NODES_MAX
from partisan_actors.api.event_rows import SAME_S
from partisan_actors.telemetry.event_feed import ROWS_PER_KIND_MAX
from partisan_actors.telemetry.event_kinds import KINDS, EventKind
from tests.house.source import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "events.md"


def row_of(kind: EventKind) -> str:
    """The row of the page's table that says what the code's table says."""
    fields = ", ".join(f"`{name}`{'' if of is str else f' ({of.__name__})'}" for name, of in kind.fields.items())
    told_by = "all who see it" if kind.shared else "one node"
    return f"| `{kind.name}` | {kind.severity} | {kind.sentence} | {kind.about} | {fields} | {told_by} |"


def test_the_page_lists_every_kind_as_the_code_has_it() -> None:
    """To make them anew: print `row_of` of each."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if re.match(r"\| `[a-z]+\.[a-z_]+` \|", line)]

    assert listed == [row_of(kind) for kind in KINDS.values()]


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())

    assert f"the last {ROWS_PER_KIND_MAX} events of each kind" in text
    assert f"within {SAME_S:g} seconds of the first" in text
    assert f"more than {NODES_MAX} nodes nobody looks" in text
