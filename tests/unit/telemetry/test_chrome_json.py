"""Timelines for Perfetto."""

from __future__ import annotations

import json

from partisan_actors.telemetry.chrome_json import chrome_document
from tests.plain_spans import span_of, spans_of_the_story

MS = 1_000_000


def test_a_span_is_a_complete_event_with_what_is_known_of_it() -> None:
    span = span_of(1, attributes={"partisan.attempt": 2})

    named, event = chrome_document([span])["traceEvents"]

    assert (named["ph"], named["name"], named["args"]) == ("M", "process_name", {"name": "ada (7)"})
    assert (event["ph"], event["name"], event["cat"]) == ("X", "Bank/pay", "partisan_actors.calls")
    assert (event["ts"], event["dur"]) == (span["start_ns"] / 1_000, 500.0)
    assert event["args"]["partisan.attempt"] == 2 and event["args"]["trace_id"] == span["trace_id"]
    assert event["pid"] == named["pid"]


def test_spans_that_overlap_are_on_tracks_of_their_own_and_those_inside_are_not() -> None:
    outer = span_of(1, start_ns=0, end_ns=10 * MS)
    inside = span_of(2, start_ns=2 * MS, end_ns=5 * MS)
    across = span_of(3, start_ns=8 * MS, end_ns=12 * MS)
    later = span_of(4, start_ns=20 * MS, end_ns=21 * MS)

    events = chrome_document([later, across, inside, outer])["traceEvents"]
    tracks = {event["args"]["span_id"][-1]: event["tid"] for event in events if event["ph"] == "X"}

    assert tracks == {"1": 0, "2": 0, "3": 1, "4": 0}


def test_an_arrow_leads_to_what_a_span_caused_on_another_node_only() -> None:
    spans = spans_of_the_story()
    nodes = {span["span_id"]: span["resource"]["partisan.node.name"] for span in spans}
    across = [s for s in spans if s["parent_id"] in nodes and nodes[s["parent_id"]] != nodes[s["span_id"]]]

    events = chrome_document(spans)["traceEvents"]

    assert {event["id"] for event in events if event["ph"] == "s"} == {span["span_id"] for span in across}
    assert {event["id"] for event in events if event["ph"] == "f"} == {span["span_id"] for span in across}
    assert across


def test_the_document_is_json() -> None:
    assert json.loads(json.dumps(chrome_document(spans_of_the_story())))["displayTimeUnit"] == "ms"


def test_no_spans_are_an_empty_timeline() -> None:
    assert chrome_document([])["traceEvents"] == []
