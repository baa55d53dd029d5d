"""Traces put together from what the nodes of a cluster have kept: each knows its own spans only.

`ask` is whatever puts one question to the `traces` service of all nodes, as `Observer.ask_all` does for its members. A
node that does not answer is named, and what it knew is missing: a trace may then be shown in part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from partisan_actors.api.observer import Answer
from partisan_actors.telemetry.plain_span import PlainSpan
from partisan_actors.telemetry.trace_query import TraceQuery
from partisan_actors.telemetry.trace_summary import grouped

__all__ = ["Ask", "Found", "find_traces", "get_traces", "last_spans", "operations", "services"]


class Ask(Protocol):
    """Puts a question to the service of every node."""

    def __call__(self, method: str, *args: Any) -> Awaitable[Sequence[Answer]]:
        """One answer for each node that was asked."""
        ...


@dataclass(slots=True)
class Found:
    """What was found: of `asked` nodes `answered` did; `silent` says why the others did not."""

    traces: list[list[PlainSpan]] = field(default_factory=list)
    asked: int = 0
    answered: int = 0
    silent: list[dict[str, Any]] = field(default_factory=list)
    cut: bool = False  # there is more than was wanted, or than fits into an answer

    def note(self, answers: Sequence[Answer]) -> list[Any]:
        """The values of those that answered. The worst round counts."""
        values = [answer.value for answer in answers if answer.why is None]
        if self.asked == 0 or len(values) < self.answered:
            self.asked, self.answered = len(answers), len(values)
            self.silent = [{"name": each.name, "why": each.why} for each in answers if each.why is not None]
        return values


async def find_traces(ask: Ask, query: TraceQuery) -> Found:
    """The newest traces that fulfil `query`, whole as far as their spans are kept: two questions to every node."""
    found = Found()
    began: dict[str, int] = {}
    for value in found.note(await ask("find", query.plain())):
        found.cut = found.cut or value["cut"]
        for row in value["traces"]:
            began[row["trace_id"]] = min(row["start_ns"], began.get(row["trace_id"], row["start_ns"]))
    newest = sorted(began, key=lambda trace_id: began[trace_id], reverse=True)
    found.cut = found.cut or len(newest) > query.limit
    if newest:
        await _collect(found, ask, "traces", newest[: query.limit])
    return found


async def get_traces(ask: Ask, trace_ids: Sequence[str]) -> Found:
    """These traces, as far as their spans are kept; those of which no span is are not there."""
    found = Found()
    await _collect(found, ask, "traces", list(trace_ids))
    return found


async def last_spans(ask: Ask, count: int) -> Found:
    """The last `count` spans of each node, by trace."""
    found = Found()
    await _collect(found, ask, "last", count)
    return found


async def services(ask: Ask) -> tuple[list[str], Found]:
    """The services of all nodes."""
    found = Found()
    values = found.note(await ask("services"))
    return sorted({name for value in values for name in value["services"]}), found


async def operations(ask: Ask, service: str = "") -> tuple[list[dict[str, str]], Found]:
    """The spans there are by ``name`` and ``kind``, of one service or of all."""
    found = Found()
    values = found.note(await ask("operations", service))
    rows = {(row["name"], row["kind"]) for value in values for row in value["operations"]}
    return [{"name": name, "kind": kind} for name, kind in sorted(rows)], found


async def _collect(found: Found, ask: Ask, method: str, argument: Any) -> None:
    spans: list[PlainSpan] = []
    for value in found.note(await ask(method, argument)):
        found.cut = found.cut or value["cut"]
        spans += value["spans"]
    found.traces = grouped(spans)
