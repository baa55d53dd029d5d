"""The table of events: each kind's sentence is made of its own fields, and can be."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from partisan_actors.telemetry.event_feed import EventFeed
from partisan_actors.telemetry.event_kinds import KINDS, SEVERITIES, EventKind

SAMPLES = {str: "text", int: 7}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_sentence_says_whom_it_is_about_and_uses_only_fields_that_there_are(kind: EventKind) -> None:
    used = {name for _, name, _, _ in Formatter().parse(kind.sentence) if name}

    assert used <= {"about", *kind.fields}
    assert used & {"about", "what", "text"}
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind.name)
    assert kind.severity in SEVERITIES


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_each_kind_can_be_told(kind: EventKind) -> None:
    feed = EventFeed("a", lambda: 1_000_000_000)

    feed.tell(kind.name, "it", **{name: SAMPLES[of] for name, of in kind.fields.items()})

    (row,) = feed.tail({})["rows"]
    assert "{" not in row["text"] and row["severity"] == kind.severity and row["time"] == 1.0
