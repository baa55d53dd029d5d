"""What a node answers about its spans, and what it refuses to be asked."""

from __future__ import annotations

from typing import Any, cast

import pytest

from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.tracing_service import SPANS_MAX, TRACES, TracingService
from partisan_actors.errors import ConfigError
from tests.plain_spans import recent_of
from tests.unit.telemetry.story import Ticks, play, three_nodes


class Served:
    """Takes services, as a system does."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def serve(self, name: str, target: object) -> None:
        self.names.append(name)


@pytest.fixture
def service() -> TracingService:
    """That of the story's caller, ada."""
    clock = Ticks()
    nodes = three_nodes(clock)
    play(nodes, clock)
    served = Served()
    service = TracingService(cast(ActorSystem, served), recent_of(nodes[0]), "calls")
    assert served.names == [TRACES]
    return service


async def test_it_names_its_service_its_level_and_how_much_it_keeps(service: TracingService) -> None:
    assert await service.services(None) == {"services": ["shop"], "level": "calls", "kept": 8, "forgotten": 0}


async def test_operations_are_those_of_a_service_or_of_all(service: TracingService) -> None:
    everything = await service.operations(None)

    assert {"name": "Bank/pay", "kind": "client"} in everything["operations"]
    assert await service.operations(None, "shop") == everything
    assert await service.operations(None, "another") == {"operations": []}


async def test_a_trace_is_found_by_its_span_and_told_by_its_id(service: TracingService) -> None:
    found = await service.find(None, {"operation": "send Bank"})
    (row,) = found["traces"]

    told = await service.trace(None, row["trace_id"])

    assert not found["cut"] and not told["cut"]
    assert [(span["name"], span["start_ns"]) for span in told["spans"]] == [("send Bank", row["start_ns"])]
    assert await service.traces(None, [row["trace_id"], "1"]) == told


async def test_more_than_was_wanted_is_cut_and_said(service: TracingService) -> None:
    found = await service.find(None, {"limit": 2})
    last = await service.last(None, 3)

    assert (len(found["traces"]), found["cut"]) == (2, True)
    assert (len(last["spans"]), last["cut"]) == (3, True)
    assert not (await service.last(None, 20))["cut"]


@pytest.mark.parametrize(
    ("method", "argument"),
    [
        ("find", {"limit": -1}),
        ("find", "everything"),
        ("trace", "not hexadecimal"),
        ("trace", None),
        ("trace", "0" * 32),
        ("traces", "abc"),
        ("traces", ["a"] * 2_000),
        ("traces", [5]),
        ("last", 0),
        ("last", SPANS_MAX + 1),
        ("last", "all"),
    ],
)
async def test_what_makes_no_sense_is_refused(service: TracingService, method: str, argument: Any) -> None:
    with pytest.raises(ConfigError):
        await getattr(service, method)(None, argument)
