"""The benchmark's table at terminals of different widths."""

from __future__ import annotations

import io

from rich.console import Console

from partisan_actors.cli.bench.report import HEADINGS
from partisan_actors.cli.bench.rows import ROWS, Row
from partisan_actors.cli.bench.samples import Measurement, Summary
from partisan_actors.cli.bench.terminal import DROPPED_WHEN_NARROW, print_table

RESULTS: list[tuple[Row, Measurement]] = [
    (ROWS[-1], Measurement(ROWS[-1].key, figure=Summary(0.5, 0.6, 0.1, 5))),
    (ROWS[0], Measurement(ROWS[0].key, failure="it [hung]")),
]


def printed(width: int) -> str:
    out = io.StringIO()
    print_table(RESULTS, Console(file=out, width=width))
    return out.getvalue()


def test_a_wide_terminal_shows_every_column() -> None:
    text = printed(200)

    assert all(heading in text for heading in HEADINGS)
    assert "0.50 s" in text
    assert "pass" in text


def test_a_narrow_terminal_keeps_what_the_verdict_rests_on() -> None:
    text = printed(70)

    assert max(len(line.rstrip()) for line in text.splitlines()) <= 70
    assert not any(f" {heading} " in text for heading in DROPPED_WHEN_NARROW)
    assert "0.50 s" in text
    assert "<= 0.8 s" in text
    assert "pass" in text


def test_a_failure_is_told_as_it_was_said() -> None:
    assert f"{ROWS[0].key}: it [hung]" in printed(200)
