"""What one node tells of its recent spans to whoever asks: commands, the dashboard, Jaeger's UI through it.

A node knows its own spans only, so a trace has to be put together by whoever looks: `trace_search` does that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.plain_span import PlainSpan, parse_trace_id
from partisan_actors.telemetry.recent import Kept, RecentSpans
from partisan_actors.telemetry.trace_query import LIMIT_MAX, TraceQuery

__all__ = ["OFF", "SPANS_MAX", "TRACES", "TracingService"]

TRACES: Final = "traces"
OFF: Final = "off"

# Of one answer; the newest are told.
SPANS_MAX: Final = 10_000

# Between two turns of the loop: about a millisecond.
SLICE: Final = 64


class TracingService:
    """Answers questions about this node's spans. Every answer is plain data, and says with ``cut`` if there is more."""

    def __init__(self, system: ActorSystem, recent: RecentSpans, level: str) -> None:
        self._recent = recent
        self.level = level  # as it is told; the recorder has the one that counts
        system.serve(TRACES, self)

    async def services(self, peer: Any) -> dict[str, Any]:
        """The services whose spans are kept here, and how much this node traces and keeps."""
        name = str(self._recent.resource.get("service.name", ""))
        return {
            "services": [name] if name and self._recent.count else [],
            "level": self.level,
            "kept": self._recent.count,
            "forgotten": self._recent.forgotten,
        }

    async def operations(self, peer: Any, service: str = "") -> dict[str, Any]:
        """The spans there are, by name and kind, of one service or of all."""
        found: set[tuple[str, str]] = set()
        if service in ("", self._recent.resource.get("service.name")):
            async for kept in self._newest_first():
                found.update(kept.names())
        return {"operations": [{"name": name, "kind": kind} for name, kind in sorted(found)]}

    async def find(self, peer: Any, query: dict[str, Any]) -> dict[str, Any]:
        """The newest traces with a span here that fulfils the query: their ids, and when that span began.

        Raises ConfigError for a query that makes no sense.
        """
        wanted = TraceQuery.of_plain(query)
        found: dict[str, int] = {}
        async for kept in self._newest_first():
            if not any(wanted.may_match(name) for name, _ in kept.names()):
                continue
            for span in kept.spans():
                if wanted.matches(span):
                    found.setdefault(span["trace_id"], span["start_ns"])
            if len(found) > wanted.limit:
                break
        rows = [{"trace_id": trace_id, "start_ns": start_ns} for trace_id, start_ns in found.items()]
        return {"traces": rows[: wanted.limit], "cut": len(rows) > wanted.limit}

    async def traces(self, peer: Any, trace_ids: list[str]) -> dict[str, Any]:
        """The spans of these traces that are kept here. Raises ConfigError for what is no trace id."""
        if not isinstance(trace_ids, (list, tuple)) or len(trace_ids) > LIMIT_MAX:
            raise ConfigError("trace_ids", type(trace_ids).__name__, f"a list of at most {LIMIT_MAX} trace ids")
        return await self._spans_of({parse_trace_id(each) for each in trace_ids})

    async def trace(self, peer: Any, trace_id: str) -> dict[str, Any]:
        """The spans of one trace that are kept here. Raises ConfigError for what is no trace id."""
        return await self._spans_of({parse_trace_id(trace_id)})

    async def last(self, peer: Any, count: int) -> dict[str, Any]:
        """The last spans, at most `count`. Raises ConfigError when that is not from 1 to SPANS_MAX."""
        if type(count) is not int or not 1 <= count <= SPANS_MAX:
            raise ConfigError("count", str(count)[:40], f"a number from 1 to {SPANS_MAX}")
        return await self._spans_of(None, count)

    async def _spans_of(self, wanted: Collection[int] | None, most: int = SPANS_MAX) -> dict[str, Any]:
        spans: list[PlainSpan] = []
        async for kept in self._newest_first():
            if wanted is None or kept.trace_id in wanted:
                spans += kept.spans()
                if len(spans) > most:
                    break
        return {"spans": spans[:most], "cut": len(spans) > most}

    async def _newest_first(self) -> AsyncIterator[Kept]:
        for number, kept in enumerate(self._recent.newest_first()):
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            yield kept
