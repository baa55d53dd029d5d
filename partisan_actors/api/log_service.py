"""What was logged on one node, for whoever asks: the last records that `logging` let through, with who made them.

Records are seen where they are made, by the factory of records, and not by a handler of the root logger: a program that
has one finds `logging.basicConfig` without effect, and its warnings no longer on stderr.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.actors.context import current_system
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.log_fields import STAMP, running_fields
from partisan_actors.telemetry.recent_logs import RecentLogs

__all__ = ["LOGS", "LogService"]

LOGS: Final = "logs"


class LogService:
    """Keeps the records of one node: those of its actors, and those that no other node of this process has made."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._recent = RecentLogs()
        system.serve(LOGS, self)
        _seen_by.add(self)
        system.on_close.append(self.close)

    def close(self) -> None:
        """See no more. May be called twice."""
        _seen_by.remove(self)

    async def tail(self, peer: Any, query: dict[str, Any]) -> dict[str, Any]:
        """The newest rows that are all that is asked for; see `RecentLogs.tail`. Raises ConfigError."""
        return self._recent.tail(query)

    @property
    def node(self) -> str:
        """The name of the node."""
        return self._system.me.name

    def see(self, record: logging.LogRecord, fields: Mapping[str, str]) -> None:
        """A record was made, on any thread, by whom `fields` say."""
        system = current_system.get()
        if system is None or system is self._system:
            who = {name: fields.get(name) for name in ("actor_id", "actor_class", "trace_id", "span_id")}
            self._recent.add(record, {"node": self.node, **who})


class _SeenBy:
    """The services of this process. While there are any, the factory of records is one that shows them each."""

    def __init__(self) -> None:
        self._services: tuple[LogService, ...] = ()
        self._lock = threading.Lock()
        self._before: Any = None

    def add(self, service: LogService) -> None:
        with self._lock:
            if not self._services:
                self._before = logging.getLogRecordFactory()
                logging.setLogRecordFactory(self._make)
            self._services = (*self._services, service)

    def remove(self, service: LogService) -> None:
        with self._lock:
            self._services = tuple(each for each in self._services if each is not service)
            if not self._services and logging.getLogRecordFactory() == self._make:
                logging.setLogRecordFactory(self._before)

    def _make(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._before(*args, **kwargs)
        services = self._services
        if services and isinstance(record.name, str) and isinstance(record.levelno, int):  # not one filled in later
            fields = running_fields(services[0].node)
            setattr(record, STAMP, fields)
            for service in services:
                service.see(record, fields)
        return record


_seen_by: Final = _SeenBy()
