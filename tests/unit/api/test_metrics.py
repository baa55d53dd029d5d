"""Tests of users' instruments: what may be said of them, and where what they record is told."""

from __future__ import annotations

from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.actors.context import current_system
from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.exposition import exposition
from partisan_actors.telemetry.histogram import BOUNDS_S
from partisan_actors.transport.memory import MemoryNetwork
from tests.unit.api.runtimes import runtimes


async def told(runtime: Any, name: str) -> list[dict[str, Any]]:
    return [point for point in await runtime.metering.snapshot() if point["name"] == name]


async def test_what_is_recorded_is_told_by_the_node_whose_code_recorded_it() -> None:
    orders = pa.metrics.Counter("shop.orders", "Orders that came in.", ("kind",), unit="{order}")
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        token = current_system.set(b.system)
        orders.inc(tags={"kind": "large"})
        orders.inc(2, tags={"kind": "large"})
        current_system.reset(token)

        assert await told(a, "shop.orders") == []
        assert await told(b, "shop.orders") == [
            {
                "name": "shop.orders",
                "type": "counter",
                "unit": "{order}",
                "description": "Orders that came in.",
                "attributes": {"kind": "large"},
                "value": 3.0,
            }
        ]
        assert b'shop_orders_total{kind="large"} 3.0' in exposition(await b.metering.snapshot())[0]


async def test_gauges_are_set_and_histograms_have_the_boundaries_they_were_given() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        token = current_system.set(a.system)
        level = pa.metrics.Gauge("tank_level")
        for value in (3, 1.5):
            level.set(value)
        sizes = pa.metrics.Histogram("sizes", boundaries=[1, 10])
        for value in (0.5, 10, 11, 500):
            sizes.observe(value)
        pa.metrics.Histogram("times").observe(0.2)
        current_system.reset(token)

        ((gauge,), (histogram,), (times,)) = [await told(a, name) for name in ("tank_level", "sizes", "times")]
        assert gauge["value"] == 1.5
        assert (histogram["bounds"], histogram["buckets"], histogram["sum"]) == ([1.0, 10.0], [1, 1, 2], 521.5)
        assert times["bounds"] == list(BOUNDS_S)


async def test_tags_that_are_not_given_have_their_default_or_are_empty() -> None:
    counter = pa.metrics.Counter("tagged", tag_keys=("a", "b", "c"))
    counter.set_default_tags({"a": "1", "b": "2"})
    async with runtimes(MemoryNetwork(), "n") as (node,):
        token = current_system.set(node.system)
        counter.inc(tags={"b": "x"})
        current_system.reset(token)

        assert [point["attributes"] for point in await told(node, "tagged")] == [{"a": "1", "b": "x", "c": ""}]
    assert counter.info["default_tags"] == {"a": "1", "b": "2"} and counter.info["tag_keys"] == ("a", "b", "c")


def test_without_a_node_nothing_is_recorded_and_nothing_is_started() -> None:
    assert not pa.is_initialized()

    pa.metrics.Counter("lonely").inc()

    assert not pa.is_initialized()


@pytest.mark.parametrize("name", ["", "9lives", "with space", "a" * 201, "partisan.calls", "process_x", "rpc.y", None])
def test_bad_names_are_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match="name"):
        pa.metrics.Counter(name)


def test_names_that_only_begin_like_ours_are_not() -> None:
    pa.metrics.Counter("processed")
    pa.metrics.Gauge("partisans.x")


@pytest.mark.parametrize("boundaries", [[], [2, 1], [1, 1]])
def test_boundaries_rise(boundaries: list[float]) -> None:
    with pytest.raises(ConfigError, match="boundaries"):
        pa.metrics.Histogram("h", boundaries=boundaries)


@pytest.mark.parametrize(("tags", "what"), [({"x": "1"}, "keys of"), ({"kind": 1}, "a text")])
def test_tags_that_are_not_among_the_keys_or_no_texts_are_refused(tags: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        pa.metrics.Counter("c", tag_keys=("kind",)).inc(tags=tags)


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_counter_only_grows(value: float) -> None:
    with pytest.raises(ConfigError, match="a counter only grows"):
        pa.metrics.Counter("c").inc(value)


def test_keys_of_tags_are_a_sequence() -> None:
    with pytest.raises(ConfigError, match="a sequence of texts"):
        pa.metrics.Counter("c", tag_keys="kind")
