"""Tests of Jaeger's query API as its clients use it, with the spans of the story on two nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from jsonschema import Draft202012Validator

from partisan_actors.telemetry.otlp_plain import to_otlp
from partisan_actors.telemetry.trace_query import LIMIT_MAX, TraceQuery
from partisan_actors.telemetry.trace_summary import grouped
from tests.plain_spans import spans_of_the_story
from tests.unit.dashboard.fakes import FakeCluster, member, served

SCHEMA = Path(__file__).parents[2] / "jaeger_schema.json"
V3_SCHEMA = SCHEMA.with_name("jaeger_v3_schema.json")
SPANS = max(grouped(spans_of_the_story()), key=len)
TRACE_ID = SPANS[0]["trace_id"]
SERVICE = str(SPANS[0]["resource"]["service.name"])


def remembering(cluster: FakeCluster, name: str, spans: list[dict[str, Any]]) -> None:
    """Have a node answer as the `traces` service does."""

    def find(query: dict[str, Any]) -> Any:
        wanted = TraceQuery.of_plain(query)
        found = {span["trace_id"]: span["start_ns"] for span in reversed(spans) if wanted.matches(span)}
        return {"traces": [{"trace_id": each, "start_ns": start} for each, start in found.items()], "cut": False}

    rows = [{"name": span["name"], "kind": span["kind"]} for span in spans]
    cluster.answers |= {
        (name, "traces.services"): {
            "services": sorted({s["resource"]["service.name"] for s in spans}),
            "level": "calls",
        },
        (name, "traces.operations"): lambda service: {"operations": rows},
        (name, "traces.find"): find,
        (name, "traces.traces"): lambda ids: {"spans": [s for s in spans if s["trace_id"] in ids], "cut": False},
    }


def story() -> FakeCluster:
    cluster = FakeCluster(member("a"), member("b"), member("c"))
    remembering(cluster, "a", SPANS[::2])
    remembering(cluster, "b", SPANS[1::2])
    return cluster


async def asked(client: ClientSession, path: str, status: int = 200, **query: str) -> Any:
    async with client.get(path, params=query) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def test_the_first_generation_finds_services_operations_and_traces() -> None:
    async with served(story()) as (client, _):
        services = await asked(client, "/api/services")
        names = await asked(client, f"/api/services/{SERVICE}/operations")
        kinds = await asked(client, "/api/operations", service=SERVICE, spanKind="server")
        search = await asked(client, "/api/traces", service=SERVICE, limit="20", lookback="1h", start="1", nonsense="x")
        one = await asked(client, f"/api/traces/{TRACE_ID}")

    assert SERVICE in services["data"] and services["total"] == len(services["data"])
    assert set(names["data"]) == {span["name"] for span in SPANS}
    assert {row["spanKind"] for row in kinds["data"]} == {"server"}
    assert [trace["traceID"] for trace in search["data"]] == [TRACE_ID]
    assert {span["spanID"] for span in one["data"][0]["spans"]} == {span["span_id"] for span in SPANS}
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(one)
    # The third node keeps no spans that it could tell of, and that is not passed over.
    assert one["data"][0]["warnings"] == ["2 of 3 nodes answered; not heard from: c"]


def as_jaegers_ui_reads(shape: str) -> Draft202012Validator:
    """Holds answers of the second generation to what Jaeger's UI checks before it reads them."""
    schema = json.loads(V3_SCHEMA.read_text(encoding="utf-8"))
    return Draft202012Validator({**schema, "$ref": f"#/$defs/{shape}"})


@pytest.mark.parametrize(
    ("shape", "answer"),
    [
        ("traces", {"resourceSpans": []}),
        ("traces", {"result": {"resourceSpans": [{"scopeSpans": [{}]}]}}),
        ("summaries", {"summaries": [{"traceId": "0" * 32}]}),
        ("operations", {"operations": [{"name": "x"}]}),
        ("value", {"stringValue": "a", "intValue": "1"}),
        ("value", {"intValue": 1}),
        ("span", {"traceId": "a" * 32, "spanId": "0" * 16}),
    ],
)
def test_what_jaegers_ui_would_not_read_is_found(shape: str, answer: dict[str, Any]) -> None:
    assert not as_jaegers_ui_reads(shape).is_valid(answer)


async def test_the_second_generation_finds_them_too_whichever_way_it_is_spelled() -> None:
    searches = [
        {"query.serviceName": SERVICE, "query.searchDepth": "5", "query.startTimeMin": "2001-01-01T00:00:00.000000Z"},
        {"query.service_name": SERVICE, "query.num_traces": "5", "query.start_time_min": "2001-01-01T00:00:00Z"},
    ]
    async with served(story()) as (client, _):
        services = await asked(client, "/api/v3/services")
        operations = await asked(client, "/api/v3/operations", service=SERVICE)
        summaries = [await asked(client, "/api/v3/trace-summaries", **search) for search in searches]
        traces = [await asked(client, "/api/v3/traces", **search) for search in searches]
        one = await asked(client, f"/api/v3/traces/{TRACE_ID}")

    (row,) = summaries[0]["summaries"]
    assert SERVICE in services["services"] and all(
        {"name", "spanKind"} == set(each) for each in operations["operations"]
    )
    assert summaries[0] == summaries[1] and traces[0] == traces[1]
    assert row["traceId"] == TRACE_ID and row["spanCount"] == len(SPANS) and row["minStartTimeUnixNano"].isdigit()
    assert sum(each["spanCount"] for each in row["services"]) == len(SPANS)
    for shape, answer in (
        ("services", services),
        ("operations", operations),
        ("summaries", summaries[0]),
        ("traces", traces[0]),
        ("traces", one),
    ):
        as_jaegers_ui_reads(shape).validate(answer)
    found = [s for r in one["result"]["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]]
    assert {span["spanId"] for span in found} == {span["span_id"] for span in SPANS}


async def test_a_file_of_otlp_becomes_jaegers_in_one_document_or_one_a_line() -> None:
    document = to_otlp(SPANS)
    lines = "\n".join(json.dumps({"resourceSpans": [each]}) for each in document["resourceSpans"])
    async with served(FakeCluster(member("a"))) as (client, _):
        for body in (json.dumps(document, indent=1), lines):
            async with client.post("/api/transform", data=body) as response:
                found = await response.json()
            assert [len(trace["spans"]) for trace in found["data"]] == [len(SPANS)]
        for body in (b"", b"[]", b"{", b"\xff", b'{"resourceSpans": [{"scopeSpans": 3}]}', b"[" * 100_000):
            async with client.post("/api/transform", data=body) as response:
                problem = await response.json(content_type=None)
            assert response.status == 400 and problem["errors"][0]["code"] == 400, body[:20]


async def test_who_calls_whom_is_counted() -> None:
    async with served(story()) as (client, _):
        found = await asked(client, "/api/dependencies", endTs="9000000000000", lookback="9000000000000")

    assert all({"parent", "child", "callCount"} == set(each) for each in found["data"])


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "-1"},
        {"limit": "many"},
        {"start": "1e9"},
        {"start": "9" * 400},
        {"end": "\U0001f40d"},
        {"minDuration": "5 parsecs"},
        {"tags": '{"a":'},
        {"tags": '[["a"]]'},
        {"tags": "=="},
        {"service": "x" * 3000},
        {"operation": "a\x00b"},
    ],
)
async def test_hostile_queries_are_refused_in_words_that_jaegers_clients_show(query: dict[str, str]) -> None:
    async with served(story()) as (client, _):
        problem = await asked(client, "/api/traces", status=400, **query)

    assert problem["detail"] and len(json.dumps(problem)) < 2000


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9" * 300])
async def test_times_that_are_none_are_refused(time: str) -> None:
    async with served(story()) as (client, _):
        await asked(client, "/api/v3/trace-summaries", status=400, **{"query.startTimeMin": time})


async def test_a_limit_that_is_too_high_is_lowered() -> None:
    cluster = story()
    async with served(cluster) as (client, _):
        await asked(client, "/api/traces", limit="1000000000")

    (query,) = {json.dumps(each[2][0]["limit"]) for each in cluster.asked if each[1] == "traces.find"}
    assert query == str(LIMIT_MAX)


async def test_a_trace_that_nobody_remembers_is_not_found_and_who_was_silent_is_said() -> None:
    async with served(story()) as (client, _):
        missing = await asked(client, "/api/traces/abc123", status=404)
        wrong = await asked(client, "/api/traces/xyz", status=400)

    assert missing["errors"][0]["code"] == 404 and "2 of 3 nodes" in missing["detail"]
    assert "hexadecimal" in wrong["errors"][0]["msg"]
