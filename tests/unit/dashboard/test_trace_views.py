"""Tests of the dashboard's own list of traces, and of one of them."""

from __future__ import annotations

import pytest

from tests.unit.dashboard.fakes import served
from tests.unit.dashboard.test_jaeger import SPANS, TRACE_ID, asked, story


async def test_the_list_says_what_a_trace_began_with_and_how_many_nodes_trace() -> None:
    async with served(story()) as (client, _):
        found = await asked(client, "/api/v1/traces", tags="", limit="5")
        names = await asked(client, "/api/v1/traces/names")
        failed = await asked(client, "/api/v1/traces", failed="true", min_duration="1us")

    (row,) = found["rows"]
    assert row["trace_id"] == TRACE_ID and row["spans"] == len(SPANS)
    assert (found["asked"], found["answered"], found["tracing"]) == (3, 2, 2)
    assert names["services"] and names["operations"]
    assert len(failed["rows"]) == any(span["status"] == "error" for span in SPANS)


async def test_one_trace_has_all_spans_and_can_be_had_in_every_form() -> None:
    async with served(story()) as (client, _):
        one = await asked(client, f"/api/v1/traces/{TRACE_ID}")
        files = [
            await asked(client, f"/api/v1/traces/{TRACE_ID}/export", format=form)
            for form in ("jaeger", "otlp", "chrome")
        ]

    assert {span["span_id"] for span in one["spans"]} == {span["span_id"] for span in SPANS}
    assert "data" in files[0] and "resourceSpans" in files[1] and "traceEvents" in files[2]


async def test_the_last_spans_of_all_nodes_are_one_timeline() -> None:
    cluster = story()
    for name, spans in (("a", SPANS[::2]), ("b", SPANS[1::2])):
        cluster.answers[name, "traces.last"] = {"spans": spans, "cut": False}

    async with served(cluster) as (client, _):
        timeline = await asked(client, "/api/v1/timeline")
        await asked(client, "/api/v1/timeline", status=400, spans="0")

    assert len([event for event in timeline["traceEvents"] if event["ph"] == "X"]) == len(SPANS)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"since": "-1"}, {"tags": "a b c"}, {"min_duration": "long"}])
async def test_what_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    async with served(story()) as (client, _):
        await asked(client, "/api/v1/traces", status=400, **query)
