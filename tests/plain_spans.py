"""Plain spans for tests: one at a time, those of a story over three nodes, and arbitrary forests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from partisan_actors.telemetry.plain_span import PlainSpan
from partisan_actors.telemetry.recent import RecentSpans
from partisan_actors.telemetry.wall_clock import WallClock
from tests.unit.telemetry.story import Node, Ticks, play, three_nodes

EPOCH_NS = 1_700_000_000_000_000_000
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def span_of(number: int = 1, **changes: Any) -> PlainSpan:
    """A span; what is not said is the same for all."""
    return {
        "trace_id": TRACE_ID,
        "span_id": f"{number:016x}",
        "parent_id": None,
        "name": "Bank/pay",
        "kind": "server",
        "start_ns": EPOCH_NS + number * 1_000_000,
        "end_ns": EPOCH_NS + number * 1_000_000 + 500_000,
        "status": "unset",
        "status_message": "",
        "attributes": {},
        "events": [],
        "links": [],
        "trace_state": "",
        "scope": "partisan_actors.calls",
        "scope_version": "1.0",
        "resource": {"service.name": "shop", "partisan.node.name": "ada", "process.pid": 7},
        **changes,
    }


def recent_of(node: Node) -> RecentSpans:
    """Everything that a node of a story has recorded."""
    recent = RecentSpans(WallClock(node.recorder.clock, node.recorder.wall_clock))
    recent.resource = {"service.name": "shop", "partisan.node.name": node.name, "process.pid": node.seed}
    for record in node.recorder.take(1_000):
        recent.add_records([record])
    return recent


def spans_of_the_story() -> list[PlainSpan]:
    """The same at every call, but for stack traces and the version of the package."""
    clock = Ticks()
    nodes = three_nodes(clock)
    play(nodes, clock)
    recents = [recent_of(node) for node in nodes]
    return [span for recent in recents for kept in recent.newest_first() for span in kept.spans()]


_texts = st.text(st.characters(codec="utf-8"), max_size=12)
_scalars = st.one_of(
    st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False, allow_infinity=False), _texts
)
_attributes = st.dictionaries(_texts.filter(bool), st.one_of(_scalars, st.lists(_texts, max_size=3)), max_size=4)
_span_ids = st.integers(1, (1 << 64) - 1).map(lambda number: f"{number:016x}")
_trace_ids = st.integers(1, 3).map(lambda number: f"{number:032x}")
_times = st.integers(0, 10**12).map(lambda ns: EPOCH_NS + ns)
_resources = st.sampled_from(
    [
        {"service.name": "shop", "partisan.node.name": "ada", "process.pid": 1},
        {"service.name": "shop", "partisan.node.name": "bob", "process.pid": 2},
        {"service.name": "bank@eve", "process.pid": 3},
    ]
)


@st.composite
def forests(draw: st.DrawFn, spans_max: int = 6) -> list[PlainSpan]:
    """Spans of up to three traces: parents may be any other span, one of another trace, or missing."""
    span_ids = draw(st.lists(_span_ids, min_size=1, max_size=spans_max, unique=True))
    return [
        draw(
            st.builds(
                lambda start_ns, length_ns, **fields: {**fields, "start_ns": start_ns, "end_ns": start_ns + length_ns},
                trace_id=_trace_ids,
                span_id=st.just(span_id),
                parent_id=st.one_of(st.none(), st.sampled_from(span_ids), _span_ids),
                name=_texts,
                kind=st.sampled_from(["internal", "server", "client", "producer", "consumer"]),
                start_ns=_times,
                length_ns=st.integers(0, 10**10),
                status=st.sampled_from(["unset", "ok", "error"]),
                status_message=_texts,
                attributes=_attributes,
                events=st.lists(
                    st.fixed_dictionaries({"name": _texts, "time_ns": _times, "attributes": _attributes}), max_size=2
                ),
                links=st.lists(
                    st.fixed_dictionaries({"trace_id": _trace_ids, "span_id": _span_ids, "attributes": _attributes}),
                    max_size=2,
                ),
                trace_state=st.sampled_from(["", "vendor=1"]),
                scope=st.sampled_from(["", "partisan_actors.calls", "the users' own"]),
                scope_version=st.sampled_from(["", "1.0"]),
                resource=_resources,
            )
        )
        for span_id in span_ids
    ]
