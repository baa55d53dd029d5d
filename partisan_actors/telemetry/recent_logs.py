"""The last log records of one node, kept for whoever asks: as rows of plain data, under a bound of rows and of bytes.

What is kept is made when the record is: a row is text and numbers, so no object of users' is held, and none changes
under the reader's eyes.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.errors import ConfigError

__all__ = ["BYTES_MAX", "LEVELS", "MESSAGE_CHARS_MAX", "ROWS_MAX", "TAIL_MAX", "RecentLogs"]

ROWS_MAX: Final = 2_000
BYTES_MAX: Final = 2 * 1024 * 1024
MESSAGE_CHARS_MAX: Final = 8_000
# How many rows one answer has at most.
TAIL_MAX: Final = 1_000
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ROW_BYTES: Final = 400

_EQUALS: Final = ("actor_id", "actor_class", "logger")
_KNOWN: Final = ("after", "limit", "level", "text", "since", "trace_id", *_EQUALS)


class RecentLogs:
    """At most ROWS_MAX rows of about BYTES_MAX; the oldest is forgotten first. Safe from any thread."""

    def __init__(self) -> None:
        # To be had again by who has it: the collector may run meanwhile, and what it ends may log.
        self._lock = threading.RLock()
        self._rows: deque[dict[str, Any]] = deque()
        self._bytes = 0
        self._seq = 0

    def add(self, record: logging.LogRecord, who: Mapping[str, Any]) -> None:
        """Keep a record, with what is known of who made it."""
        row = {
            "seq": 0,
            "levelno": record.levelno,
            "time": record.created,
            "level": record.levelname,
            "logger": record.name,
            "message": _text(record),
            **who,
        }
        with self._lock:
            self._seq += 1
            row["seq"] = self._seq
            self._rows.append(row)
            self._bytes += _size(row)
            while len(self._rows) > ROWS_MAX or self._bytes > BYTES_MAX:
                self._bytes -= _size(self._rows.popleft())

    def tail(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """The newest rows, or with `after` the oldest of those that came after that number; at most `limit`.

        `level` is the least severe one that is wanted, `text` is part of the message, whatever the case; `actor_id`,
        `actor_class` and `logger` are equal, `trace_id` is how the trace's begins, and `since` the earliest time, in
        seconds since 1970. `next` is for `after` the next time, and `dropped` is how many
        rows after `after` are forgotten. Raises ConfigError for a query that makes no sense.
        """
        for name in query:
            if name not in _KNOWN:
                raise ConfigError("query", str(name)[:40], f"some of {', '.join(_KNOWN)}")
        after, limit, level = query.get("after"), query.get("limit", 100), query.get("level") or "DEBUG"
        if after is not None and (type(after) is not int or after < 0):
            raise ConfigError("after", str(after)[:40], "a number that was told as `next`")
        if type(limit) is not int or not 1 <= limit <= TAIL_MAX:
            raise ConfigError("limit", str(limit)[:40], f"a number from 1 to {TAIL_MAX}")
        since, trace_id = query.get("since"), str(query.get("trace_id") or "")
        if since is not None and type(since) not in (int, float):
            raise ConfigError("since", str(since)[:40], "a time in seconds since 1970")
        if level not in LEVELS:
            raise ConfigError("level", str(level)[:40], f"one of {', '.join(LEVELS)}")
        with self._lock:
            rows, last = list(self._rows), self._seq
        levelno, text = logging.getLevelName(level), str(query.get("text") or "").casefold()
        wanted = {name: query[name] for name in _EQUALS if query.get(name)}
        found = [
            row
            for row in rows
            if (after is None or row["seq"] > after)
            and row["levelno"] >= levelno
            and (since is None or row["time"] >= since)
            and (not trace_id or str(row.get("trace_id") or "").startswith(trace_id))
            and (not text or text in row["message"].casefold())
            and all(row.get(name) == value for name, value in wanted.items())
        ]
        forgotten = max(0, (rows[0]["seq"] if rows else last + 1) - 1 - after) if after is not None else 0
        chosen = found[-limit:] if after is None else found[:limit]
        is_cut = after is not None and len(found) > limit
        return {"rows": chosen, "next": chosen[-1]["seq"] if is_cut else last, "dropped": forgotten}


def _text(record: logging.LogRecord) -> str:
    """The message, and the traceback below it."""
    try:
        text = record.getMessage()
    except Exception as error:  # noqa: BLE001 - arguments that do not fit, or users' own __str__: logging complains itself
        text = f"{record.msg} ({type(error).__name__} while its arguments were put in)"
    if record.exc_info and record.exc_info[1] is not None:
        text += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
    return text if len(text) <= MESSAGE_CHARS_MAX else text[:MESSAGE_CHARS_MAX] + " ..."


def _size(row: Mapping[str, Any]) -> int:
    return ROW_BYTES + len(row["message"])
