"""`timeline`: what ran where and when, of the whole cluster, for a viewer of Chrome's trace events."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

from partisan_actors.api import session
from partisan_actors.api.everybody import answers_of_all, blocking
from partisan_actors.api.observer import Answer
from partisan_actors.api.trace_search import last_spans
from partisan_actors.api.tracing_service import SPANS_MAX, TRACES
from partisan_actors.telemetry.chrome_json import chrome_document

__all__ = ["timeline"]

logger = logging.getLogger(__name__)


def timeline(filename: str | os.PathLike[str] | None = None, *, timeout: float = 30.0) -> list[dict[str, Any]] | None:
    """The last 4,096 spans of each node that traces, as Chrome's trace events; arrows lead from calls to what they ran.

    With `filename` they are written there as JSON, which https://ui.perfetto.dev opens, and None is returned. There is
    something in it when the nodes trace (`init(tracing=True)`, `partisan start --tracing`); a warning says so when
    there is nothing. A span is there some milliseconds after its end. Blocks. Raises CallTimeout, OSError, and
    RuntimeError on the node's own loop: there, use `asyncio.to_thread`.
    """
    system = session.system()

    def ask(method: str, *args: Any) -> Awaitable[Sequence[Answer]]:
        return answers_of_all(system, TRACES, method, *args)

    found = blocking(system, last_spans(ask, SPANS_MAX), "timeline", "its spans", timeout)
    if found.silent:
        names = ", ".join(each["name"] for each in found.silent)
        logger.warning("the timeline has no spans of %s: no answer", names)
    if not found.traces:
        logger.warning(
            "the timeline is empty, for nothing is traced: init(tracing=True) does, or `partisan start --tracing`"
        )
    document = chrome_document(span for trace in found.traces for span in trace)
    if filename is None:
        events: list[dict[str, Any]] = document["traceEvents"]
        return events
    Path(filename).write_text(json.dumps(document))
    return None
