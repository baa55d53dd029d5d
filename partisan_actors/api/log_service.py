"""What was logged on one node, for whoever asks: the last records that `logging` let through, with who made them.

Records are seen where they are made, by the factory of records, and not by a handler of the root logger: a program that
has one finds `logging.basicConfig` without effect, and its warnings no longer on stderr.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
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
        self._factory: _Factory | None = None

    def add(self, service: LogService) -> None:
        with self._lock:
            if self._factory is None:
                self._factory = _Factory(logging.getLogRecordFactory(), self._show)
                logging.setLogRecordFactory(self._factory)
            self._services = (*self._services, service)

    def remove(self, service: LogService) -> None:
        with self._lock:
            self._services = tuple(each for each in self._services if each is not service)
            if not self._services and self._factory is not None:
                self._factory.end()
                self._factory = None

    def _show(self, record: logging.LogRecord) -> None:
        services = self._services
        if services and isinstance(record.name, str) and isinstance(record.levelno, int):  # not one filled in later
            fields = running_fields(services[0].node)
            setattr(record, STAMP, fields)
            for service in services:
                service.see(record, fields)


class _Factory:
    """Makes records as `before` did, and shows them, until its end.

    A program may have put a factory of its own around this one, which then stays in use for ever: so this one only
    hands on after its end, and whoever comes next makes another.
    """

    def __init__(self, before: Callable[..., logging.LogRecord], show: Callable[[logging.LogRecord], None]) -> None:
        self._before = before
        self._show: Callable[[logging.LogRecord], None] | None = show

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._before(*args, **kwargs)
        show = self._show
        if show is not None:
            show(record)
        return record

    def end(self) -> None:
        self._show = None
        if logging.getLogRecordFactory() is self:
            logging.setLogRecordFactory(self._before)


_seen_by: Final = _SeenBy()
