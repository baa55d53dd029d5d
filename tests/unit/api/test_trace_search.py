"""Traces put together from the answers of nodes, some of which may not answer."""

from __future__ import annotations

from typing import Any

from partisan_actors.api.observer import Answer
from partisan_actors.api.trace_search import find_traces, get_traces, last_spans, operations, services
from partisan_actors.telemetry.trace_query import TraceQuery
from tests.plain_spans import TRACE_ID, span_of

OTHER = "f" * 32


class Nodes:
    """Answers for several nodes, and notes what it was asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def __call__(self, method: str, *args: Any) -> list[Answer]:
        self.asked.append((method, args))
        return [
            Answer({"name": str(number)}, answer.get(method), None if method in answer else "it is gone")
            for number, answer in enumerate(self.answers)
        ]


def rows(*starts: tuple[str, int], cut: bool = False) -> dict[str, Any]:
    return {"traces": [{"trace_id": trace_id, "start_ns": start} for trace_id, start in starts], "cut": cut}


async def test_what_some_node_finds_is_asked_of_all() -> None:
    nodes = Nodes(
        {"find": rows((TRACE_ID, 5)), "traces": {"spans": [span_of(1)], "cut": False}},
        {"find": rows(), "traces": {"spans": [span_of(2, parent_id=f"{1:016x}")], "cut": False}},
    )

    found = await find_traces(nodes, TraceQuery(operation="Bank/pay"))

    assert nodes.asked == [("find", (TraceQuery(operation="Bank/pay").plain(),)), ("traces", ([TRACE_ID],))]
    assert [[span["span_id"][-1] for span in trace] for trace in found.traces] == [["1", "2"]]
    assert (found.asked, found.answered, found.silent, found.cut) == (2, 2, [], False)


async def test_of_all_that_is_found_the_newest_are_taken_and_the_rest_is_said() -> None:
    nodes = Nodes(
        {"find": rows((TRACE_ID, 5)), "traces": {"spans": [], "cut": False}},
        {"find": rows((OTHER, 9), (TRACE_ID, 7)), "traces": {"spans": [], "cut": False}},
    )

    found = await find_traces(nodes, TraceQuery(limit=1))

    assert nodes.asked[1] == ("traces", ([OTHER],))
    assert found.cut


async def test_nothing_found_asks_no_second_question() -> None:
    nodes = Nodes({"find": rows()})

    assert (await find_traces(nodes, TraceQuery())).traces == []
    assert len(nodes.asked) == 1


async def test_a_node_that_does_not_answer_is_named_also_when_it_went_between_two_questions() -> None:
    nodes = Nodes({"find": rows((TRACE_ID, 5)), "traces": {"spans": [span_of(1)], "cut": True}}, {"find": rows()})

    found = await find_traces(nodes, TraceQuery())

    assert (found.asked, found.answered, found.cut) == (2, 1, True)
    assert found.silent == [{"name": "1", "why": "it is gone"}]
    assert len(found.traces) == 1


async def test_spans_that_two_nodes_know_are_there_once() -> None:
    nodes = Nodes(
        *[{"traces": {"spans": [span_of(1)], "cut": False}, "last": {"spans": [span_of(1)], "cut": False}}] * 2
    )

    assert (await get_traces(nodes, [TRACE_ID])).traces == (await last_spans(nodes, 5)).traces == [[span_of(1)]]


async def test_services_and_operations_are_those_of_all_nodes() -> None:
    pay, wait = {"name": "Bank/pay", "kind": "client"}, {"name": "mailbox Bank", "kind": "internal"}
    nodes = Nodes(
        {"services": {"services": ["shop"]}, "operations": {"operations": [wait, pay]}},
        {"services": {"services": ["bank", "shop"]}, "operations": {"operations": [pay]}},
        {},
    )

    names, found = await services(nodes)
    spans, _ = await operations(nodes, "shop")

    assert names == ["bank", "shop"] and (found.asked, found.answered) == (3, 2)
    assert spans == [pay, wait]
