"""What is shown of a trace, and who calls whom."""

from __future__ import annotations

from partisan_actors.telemetry.trace_summary import dependencies, grouped, summary
from tests.plain_spans import TRACE_ID, span_of

BANK = {"service.name": "bank", "partisan.node.name": "bob"}


def test_spans_are_put_together_by_trace_without_doubles_and_the_newest_trace_first() -> None:
    other = "f" * 32

    traces = grouped([span_of(2), span_of(1), span_of(2), span_of(9, trace_id=other)])

    assert [[span["span_id"][-1] for span in trace] for trace in traces] == [["9"], ["1", "2"]]


def test_a_trace_is_summed_up() -> None:
    trace = [
        span_of(1, name="Shop/buy"),
        span_of(2, parent_id=f"{1:016x}", status="error", resource=BANK, name="Bank/pay"),
        span_of(3, parent_id="f" * 16, resource=BANK),
    ]

    assert summary(trace) == {
        "trace_id": TRACE_ID,
        "root_name": "Shop/buy",
        "root_service": "shop",
        "start_ns": trace[0]["start_ns"],
        "end_ns": trace[2]["end_ns"],
        "duration_ns": 2_500_000,
        "spans": 3,
        "errors": 1,
        "orphans": 1,
        "nodes": ["ada", "bob"],
        "services": [{"name": "bank", "spans": 2, "errors": 1}, {"name": "shop", "spans": 1, "errors": 0}],
    }


def test_a_trace_whose_root_is_missing_is_named_by_its_earliest_part() -> None:
    assert summary([span_of(1, parent_id="f" * 16, name="Bank/pay")])["root_name"] == "Bank/pay"


def test_a_call_from_one_service_to_another_counts() -> None:
    trace = [
        span_of(1),
        span_of(2, parent_id=f"{1:016x}", resource=BANK),
        span_of(3, parent_id=f"{2:016x}", resource=BANK),
        span_of(4, parent_id=f"{2:016x}"),
        span_of(5, parent_id="f" * 16),
    ]

    assert dependencies([trace]) == [
        {"parent": "bank", "child": "shop", "calls": 1},
        {"parent": "shop", "child": "bank", "calls": 1},
    ]
