"""Tests of texts of others at a terminal."""

from __future__ import annotations

import pytest

from partisan_actors.cli.events import shown as shown_event
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.logs import shown as shown_log
from partisan_actors.cli.table import plain_table
from partisan_actors.cli.tame import tame

RETITLES = "\x1b]0;owned\x07"


@pytest.mark.parametrize("text", ["plain", "zwei Wörter", "\ta\nb", "→ 日本 🎉"])
def test_a_text_that_moves_nothing_is_as_it_is(text: str) -> None:
    assert tame(text) == text


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert tame(f"{RETITLES}\r\x7f\x9b2J") == r"\x1b]0;owned\x07\x0d\x7f\x9b2J"


def test_what_cannot_be_encoded_is_written_out_too() -> None:
    assert tame("a\udc80b\U0001f600").encode() == "a\\udc80b\U0001f600".encode()


def test_no_command_lets_a_terminal_obey_what_users_wrote() -> None:
    event = {"time": 0.0, "severity": "info", "kind": "actor.failed", "text": RETITLES, "seen_by": ["a"]}
    record = {"time": 0.0, "level": "INFO", "node": "a", "logger": "x", "message": RETITLES}
    shown = [
        shown_event(event),
        shown_log({**record, "actor_id": None, "actor_class": None}),
        plain_table(["name"], [[RETITLES]]),
        Failure(f"no actor {RETITLES}", ExitCode.OTHER).format_message(),
    ]

    assert all(r"\x1b]0;owned\x07" in text for text in shown)
    assert not any(RETITLES in text for text in shown)
