"""`/metrics`: what all nodes measure, as Prometheus reads it, so that one address shows it a whole cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from partisan_actors.dashboard.endpoints import Desk, Endpoint, Raw
from partisan_actors.dashboard.measures import METRICS
from partisan_actors.dashboard.parameters import Parameter, Text
from partisan_actors.dashboard.watching import Survey
from partisan_actors.telemetry.exposition import exposition
from partisan_actors.telemetry.metrics import Point, point

__all__ = ["EXPOSITION_ENDPOINTS"]

NODE: Final = "partisan.node.name"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


async def metrics(desk: Desk, given: Mapping[str, Any]) -> Raw:
    """The points of each node, with its name; a node that does not answer is not up, and has no others.

    Raises Problem for a node that there is not: who scrapes that has mistyped it, and would find nothing amiss.
    """
    if given.get("node") is not None:
        await desk.watcher.row_of(given["node"])
    found = await desk.watcher.survey(METRICS, "snapshot")
    body, content_type = exposition(_points(found, given.get("node")))
    return Raw(body, content_type)


def _points(found: Survey, only: str | None) -> Iterator[Point]:
    for answer in found.answers:
        if only in (None, answer.name):
            points = answer.value if answer.why is None else [point("partisan.node.up", 0)]
            for each in points:
                yield {**each, "attributes": {**each["attributes"], NODE: answer.name}}


EXPOSITION_ENDPOINTS: Final = (
    Endpoint(
        "/metrics",
        "What all nodes measure, in Prometheus' text format.",
        metrics,
        {"type": "string"},
        "calls",
        (Parameter("node", Text(200), "Only what this node measures."),),
        is_lenient=True,
        content_type=CONTENT_TYPE,
        problems=(404,),
    ),
)
