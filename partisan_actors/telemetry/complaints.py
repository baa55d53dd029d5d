"""Trouble with exporting is logged once of each kind, ours and that of the SDK's exporters."""

from __future__ import annotations

import logging

__all__ = ["Complaints", "FirstOfItsKind"]


class Complaints:
    """Logs each kind of trouble once: a collector that is away would otherwise fill the log at every batch."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._said: set[str] = set()

    def say(self, text: str, *values: object) -> None:
        """Log `text` with `values`, unless this text has been logged before, with whatever values."""
        if text not in self._said:
            self._said.add(text)
            self._logger.warning(text + " (said once)", *values)


class FirstOfItsKind(logging.Filter):
    """Lets the first record of every message template through, and no other."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        template = str(record.msg)
        is_first = template not in self._seen
        self._seen.add(template)
        return is_first
