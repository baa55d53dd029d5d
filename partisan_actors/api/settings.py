"""The settings of a running node: what they are, where each comes from, and those that may be changed while it runs."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Any, Final

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.resizing import CONCURRENCY_MAX, concurrency_of, may_resize, resize
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ConfigError
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.sources import DEFAULT, GIVEN, source_of
from partisan_actors.node.tls import TlsFiles
from partisan_actors.telemetry.options import LEVELS, OFF, TracingOptions
from partisan_actors.telemetry.sampler import SAMPLER_VARIABLE, Sampler
from partisan_actors.telemetry.tracing import is_disabled_by

__all__ = ["CHANGEABLE", "SETTINGS", "Settings"]

logger = logging.getLogger(__name__)

SETTINGS: Final = "settings"
# How many actors are looked at for the settings of their classes, and of how many classes these are told.
ACTORS_MAX: Final = 10_000
CLASSES_MAX: Final = 200
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# What may be changed while a node runs, and what it may be. `log_level.NAME` is that of one logger, `concurrency.CLASS`
# that of the actors of a class which run on the node then.
CHANGEABLE: Final[Mapping[str, str]] = {
    "log_level": ", ".join(LOG_LEVELS),
    "tracing.level": ", ".join(LEVELS),
    "tracing.sampling": "the share of traces that are recorded, from 0 to 1",
    "tracing.traces_per_second": "a positive number, or none",
    "concurrency": f"of a class, concurrency.CLASS: from 1 to {CONCURRENCY_MAX} calls in progress in each actor",
}
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_USUAL: Final = TracingOptions()
ChangeTracing = Callable[[TracingOptions, Sampler], Awaitable[None]]
_HIDDEN: Final = ("sources", "observer")


class Settings:
    """Answers for one node, and takes changes, each with who asks for it; they last as long as its process.

    `change_tracing` has what is recorded changed.
    """

    def __init__(self, system: ActorSystem, tracing: TracingOptions | None, change_tracing: ChangeTracing) -> None:
        self._system = system
        self._node = system.node
        self._change_tracing = change_tracing
        self._tracing = tracing or TracingOptions(level=OFF)
        self._sampler = Sampler.from_environment(os.environ, logs=False)
        self._was_traced = tracing is not None
        # One change of tracing after the other: the next one begins with what the last has left.
        self._changing = asyncio.Lock()
        self._changed: dict[str, str] = {}  # by whom, for what was changed
        system.serve(SETTINGS, self)

    async def effective(self, peer: Any) -> list[dict[str, Any]]:
        """A row for each setting, with its value as plain data; secrets are not told."""
        config = self._node.config
        rows = [self._row(field.name, config) for field in fields(NodeConfig) if field.name not in _HIDDEN]
        tracing = config.sources.get("tracing") or self._source_of_tracing()
        told = {"level": self._tracing.level, "sampling": self._sampler.ratio}
        told |= {name: value for name, value in asdict(self._tracing).items() if name != "level"}
        for name, value in told.items():
            source = tracing if name == "level" else DEFAULT
            if name == "sampling" and os.environ.get(SAMPLER_VARIABLE):
                source = f"environment {SAMPLER_VARIABLE}"
            elif self._was_traced and name not in ("level", "sampling") and value != getattr(_USUAL, name):
                source = GIVEN
            rows.append(_told(f"tracing.{name}", value, source))
        level = _level_of(logging.getLogger())
        source = DEFAULT if level == "WARNING" else GIVEN  # unless whoever started the node has said more
        rows.append(_told("log_level", level, config.sources.get("log_level", source)))
        rows += self._concurrency_rows()
        known = {row["name"]: row for row in rows}
        for name, who in self._changed.items():
            row = known.get(name)
            if row is None and name.startswith("concurrency."):  # its actors have ended
                continue
            if row is None:
                row = _told(name, _level_of(logging.getLogger(name.partition(".")[2])), "")
                rows.append(row)
            row["source"] = f"changed while it ran, by {who}"
        return rows

    async def change(self, peer: Any, name: str, value: str, who: str) -> dict[str, Any]:
        """Set one of CHANGEABLE; what it was, and what it is now. Raises ConfigError."""
        if name == "log_level" or name.startswith("log_level."):
            before, now = _set_level(name.partition(".")[2], value)
        elif name.startswith("concurrency."):
            before, now = self._set_concurrency(name.partition(".")[2], value)
        elif name in CHANGEABLE and name != "concurrency":
            async with self._changing:
                before, now = await self._set_tracing(name.partition(".")[2], value)
        else:
            raise ConfigError("setting", name, f"one that may change while a node runs: {', '.join(CHANGEABLE)}")
        logger.warning("audit: %s changes %s from %s to %s", who, name, before, now)
        me = self._node.me.name
        self._node.feed.tell("node.configured", me, setting=name, before=str(before), now=str(now), who=who)
        self._changed[name] = who
        return {"name": name, "before": before, "now": now}

    def _row(self, name: str, config: NodeConfig) -> dict[str, Any]:
        value = getattr(config, name)
        if name == "cookie":
            return _told(name, f"<{len(value)} bytes>" if value else None, source_of(config, name))
        if name == "cluster":
            source = source_of(config, name) if value else "cluster that was joined, or drawn at random"
            return _told(name, self._node.cluster, source)
        if name == "object_store_bytes_max":
            return _told(name, config.store_bytes_max, source_of(config, name))
        return _told(name, value, source_of(config, name))

    def _concurrency_rows(self) -> list[dict[str, Any]]:
        """One for each class of which actors run here; with several values, when they were made with several."""
        found: dict[str, set[int]] = {}
        for cell in self._system.local_cells()[:ACTORS_MAX]:
            found.setdefault(cell.definition.interface.class_name, set()).add(concurrency_of(cell))
        told = [(name, sorted(values)) for name, values in sorted(found.items())[:CLASSES_MAX]]
        return [
            {**_told(f"concurrency.{name}", values[0] if len(values) == 1 else values, GIVEN), "may_change": True}
            for name, values in told
        ]

    def _set_concurrency(self, class_name: str, text: str) -> tuple[Any, Any]:
        cells: list[Cell] = [
            cell for cell in self._system.local_cells() if cell.definition.interface.class_name == class_name
        ]
        if not cells:
            raise ConfigError("concurrency", class_name, f"a class of which actors run on node {self._node.me.name}")
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise ConfigError("concurrency", text, f"a whole number from 1 to {CONCURRENCY_MAX}")
        before = sorted({concurrency_of(cell) for cell in cells})
        for cell in [each for each in cells if may_resize(each)] or cells[:1]:  # that one says why not
            resize(cell, int(text))
        return before[0] if len(before) == 1 else before, int(text)

    def _source_of_tracing(self) -> str:
        if not self._was_traced:
            return DEFAULT
        variable = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
        return f"environment {variable}" if variable is not None else GIVEN

    async def _set_tracing(self, name: str, text: str) -> tuple[Any, Any]:
        options, sampler = self._tracing, self._sampler
        before: Any
        now: Any
        if name == "level":
            before, now = options.level, text
            if text != OFF and is_disabled_by(os.environ):
                raise ConfigError("tracing.level", text, "off, as OTEL_SDK_DISABLED says on this node")
            options = replace(options, level=text)
        elif name == "sampling":
            before, now = sampler.ratio, _number(name, text)
            sampler = Sampler(now, sampler.follows_parent)
        else:
            before = options.traces_per_second
            now = None if text.lower() == "none" else _number(name, text)
            options = replace(options, traces_per_second=now)
        if not self._was_traced:  # nobody has said where spans are to go: they are kept here
            options = replace(options, export=any(os.environ.get(each) for each in _ENDPOINTS))
        await self._change_tracing(options, sampler)
        self._tracing, self._sampler = options, sampler
        return before, now


def _told(name: str, value: Any, source: str) -> dict[str, Any]:
    return {"name": name, "value": _plain(value), "source": source, "may_change": name in CHANGEABLE}


def _plain(value: Any) -> Any:
    if isinstance(value, TlsFiles):
        return value.plain()
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in (sorted(value, key=str) if isinstance(value, (set, frozenset)) else value)]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"tracing.{name}", text, CHANGEABLE[f"tracing.{name}"]) from error


def _set_level(name: str, text: str) -> tuple[str, str]:
    level = text.upper()
    if level not in LOG_LEVELS:
        raise ConfigError(f"log_level{'.' if name else ''}{name}", text, CHANGEABLE["log_level"])
    changed = logging.getLogger(name)
    before = _level_of(changed)
    changed.setLevel(level)
    return before, level


def _level_of(of: logging.Logger) -> str:
    return logging.getLevelName(of.getEffectiveLevel())
