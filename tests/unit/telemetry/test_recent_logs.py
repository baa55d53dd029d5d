"""Tests of the log records that a node keeps: which, how many, and how they are asked for."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry import recent_logs
from partisan_actors.telemetry.recent_logs import BYTES_MAX, MESSAGE_CHARS_MAX, ROWS_MAX, RecentLogs


def record(
    message: str, level: int = logging.INFO, *args: Any, error: BaseException | None = None
) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error is not None else None
    return logging.LogRecord("shop", level, __file__, 1, message, args, info)


def kept(*messages: str, **who: Any) -> RecentLogs:
    recent = RecentLogs()
    for message in messages:
        recent.add(record(message), who)
    return recent


def messages(answer: dict[str, Any]) -> list[str]:
    return [row["message"] for row in answer["rows"]]


def test_the_newest_are_told_and_who_follows_gets_what_came_since() -> None:
    recent = kept("a", "b", "c")

    first = recent.tail({"limit": 2})
    recent.add(record("d"), {})
    second = recent.tail({"after": first["next"]})

    assert messages(first) == ["b", "c"] and messages(second) == ["d"]
    assert second["dropped"] == 0


def test_who_follows_slowly_gets_all_in_order_and_hears_what_is_forgotten() -> None:
    recent = kept(*map(str, range(ROWS_MAX + 10)))

    page = recent.tail({"after": 2, "limit": 3})

    assert messages(page) == ["10", "11", "12"] and page["dropped"] == 8
    assert messages(recent.tail({"after": page["next"], "limit": 1})) == ["13"]


def test_rows_are_chosen_by_level_text_and_who_made_them() -> None:
    recent = RecentLogs()
    recent.add(record("fine"), {"actor_id": "actor:a~1/1"})
    recent.add(record("too LATE", logging.ERROR), {"actor_id": "actor:a~1/2"})

    assert messages(recent.tail({"level": "WARNING"})) == ["too LATE"]
    assert messages(recent.tail({"text": "late"})) == ["too LATE"]
    assert messages(recent.tail({"actor_id": "actor:a~1/1"})) == ["fine"]
    assert messages(recent.tail({"logger": "other"})) == []


def test_rows_are_chosen_by_time_and_by_how_the_trace_begins() -> None:
    recent = kept("a", trace_id="ab" * 16)
    recent.add(record("b"), {"trace_id": None})
    now = recent.tail({})["rows"][0]["time"]

    assert messages(recent.tail({"trace_id": "abab"})) == messages(recent.tail({"trace_id": "ab" * 16})) == ["a"]
    assert messages(recent.tail({"trace_id": "b"})) == [] == messages(recent.tail({"since": now + 60}))
    assert messages(recent.tail({"since": now})) == ["a", "b"]


def test_long_messages_are_cut_and_bytes_are_bounded() -> None:
    recent = kept(*["x" * 100_000] * 1_000)

    assert recent._bytes <= BYTES_MAX
    assert max(map(len, messages(recent.tail({"limit": 1_000})))) <= MESSAGE_CHARS_MAX + 4


def test_a_traceback_is_part_of_the_message_and_arguments_that_do_not_fit_are_no_harm() -> None:
    recent = RecentLogs()
    try:
        raise ValueError("no")
    except ValueError as error:
        recent.add(record("it failed", error=error), {})
    recent.add(record("%d apples", logging.INFO, "some"), {})

    first, second = messages(recent.tail({}))
    assert first.startswith("it failed\nTraceback") and "ValueError: no" in first
    assert second.startswith("%d apples (TypeError")


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": True}, {"limit": 10**9}, {"after": -1}, {"after": "1"}, {"level": "LOUD"}, {"x": 1}],
)
def test_a_query_that_makes_no_sense_is_an_error(query: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        kept("a").tail(query)


def test_what_is_logged_while_a_record_is_kept_is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    recent, sizes = RecentLogs(), iter([1])
    size = recent_logs._size

    def interrupted(row: dict[str, Any]) -> int:
        if next(sizes, None):  # as when the collector ends something that logs, in the middle of this
            recent.add(record("inner"), {})
        return size(row)

    monkeypatch.setattr(recent_logs, "_size", interrupted)
    thread = threading.Thread(target=recent.add, args=(record("outer"), {}), daemon=True)
    thread.start()
    thread.join(30.0)

    assert not thread.is_alive()
    assert messages(recent.tail({})) == ["outer", "inner"]
    assert [row["seq"] for row in recent.tail({})["rows"]] == [1, 2]
