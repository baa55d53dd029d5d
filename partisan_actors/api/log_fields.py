"""Who logs: the fields that tell of the running code, put on records where they are made, and two formats with them.

What a record is made by is known only where it is made; a handler may see it on another thread. So while there is a
node in this process, records get their fields from the factory of records, under one private name that no `extra` of a
program's collides with; `LogFields` gives them the names that formats use.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.context import current_cell, current_system
from partisan_actors.telemetry.context import current_context
from partisan_actors.telemetry.plain_span import span_id_text, trace_id_text

__all__ = ["FIELDS", "STAMP", "JsonFormatter", "LogFields", "TextFormatter", "running_fields"]

# In this order. `trace_id`, `span_id` and `trace_flags` are OpenTelemetry's names, for logs that are not OTLP.
FIELDS: Final = ("node", "actor_id", "actor_class", "trace_id", "span_id", "trace_flags")
STAMP: Final = "_partisan_fields"

# What a record has of its own, beside what is formatted from it; all else came as `extra`.
_OWN: Final = frozenset(
    {*vars(logging.LogRecord("", 0, "", 0, "", (), None)), "message", "asctime", "taskName", STAMP, *FIELDS}
)
_EXTRA_CHARS_MAX: Final = 2_000


def running_fields(default_node: str = "") -> dict[str, str]:
    """Those of FIELDS that the running code has: of an actor, of a trace, and of the node, if it has one."""
    system, running = current_system.get(), current_cell.get()
    trace = current_context.get() if system is None else system.recorder.current()
    fields = {"node": system.me.name if system is not None else default_node}
    if isinstance(running, Cell):
        fields |= {"actor_id": str(running.actor), "actor_class": running.definition.interface.class_name}
    if trace is not None and trace.trace_id:
        fields["trace_id"] = trace_id_text(trace.trace_id)
        fields["span_id"] = span_id_text(trace.span_id)
        fields["trace_flags"] = f"{trace.flags & 0xFF:02x}"
    return fields


class LogFields(logging.Filter):
    """A filter that lets everything through, and says on each record who has made it.

    Records get the attributes node, actor_id, actor_class, trace_id, span_id and trace_flags, for formats such as
    ``"%(levelname)s %(node)s %(actor_id)s %(message)s"``. What there is none of is "". Add it to a handler, not to a
    logger, so that it sees the records of all loggers. A record that has an attribute of such a name, from a program's
    own `extra`, keeps it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        fields: Mapping[str, str] = getattr(record, STAMP, None) or running_fields()
        for name in FIELDS:
            if not hasattr(record, name):
                setattr(record, name, fields.get(name, ""))
        return True


class JsonFormatter(logging.Formatter):
    """Each record as one line of JSON, with time (RFC 3339, UTC), level, logger, message, and who made it.

    Of the fields of `LogFields` it has those that there are; what came as `extra`; and the traceback, as `exception`.
    Needs no filter.
    """

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {
            "time": at,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _fields_of(record)
        line |= {name: _plain(value) for name, value in vars(record).items() if name not in _OWN and name not in line}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:
            line["exception"] = record.exc_text
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Each record as text: time, level, node, logger, message; then in brackets its actor and its trace, if it has any.

    A traceback follows on lines of its own. Needs no filter.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        fields = _fields_of(record)
        node, *others = (fields.get(name, "") for name in ("node", "actor_class", "actor_id", "trace_id", "span_id"))
        words = [
            f"{name}={value}" for name, value in zip(("actor", "id", "trace", "span"), others, strict=True) if value
        ]
        return super().formatMessage(record) + (f" [{' '.join([f'node={node}', *words])}]" if node or words else "")


def _fields_of(record: logging.LogRecord) -> dict[str, str]:
    """The fields that the record was made with, or else has from a filter, or that this code has."""
    stamped: Mapping[str, str] | None = getattr(record, STAMP, None)
    found = stamped if stamped is not None else running_fields()
    fields = {name: getattr(record, name, None) or found.get(name, "") for name in FIELDS}
    return {name: value for name, value in fields.items() if value}


def _plain(value: Any) -> Any:
    """What a program gave as `extra`, as JSON can say it."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception as error:  # noqa: BLE001 - a user's own __str__: a line of log must not fail for it
        text = f"({type(error).__name__} while it was shown)"
    return text[:_EXTRA_CHARS_MAX]
