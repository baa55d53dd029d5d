"""Tests of what Prometheus gets: its own parser reads back what was told, under the names that are promised."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from partisan_actors.telemetry.exposition import exposition, prometheus_name
from partisan_actors.telemetry.histogram import Histogram
from partisan_actors.telemetry.metrics import COUNTER, GAUGE, HISTOGRAM, METRICS, Metric, Point, point

PROMTOOL = shutil.which("promtool")


def samples(*points: Point) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What Prometheus would read: the value of each series."""
    text, _ = exposition(points)
    families = text_string_to_metric_families(text.decode())
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def example(metric: Metric) -> list[Point]:
    """Two points of it."""
    histogram = Histogram()
    histogram.observe(70_000)
    value = histogram.plain() if metric.type == HISTOGRAM else 7
    return [point(metric.name, value, *(f"{letter}" for _ in metric.attributes)) for letter in "ab"][
        : 2 if metric.attributes else 1
    ]


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("rpc.server.call.duration", "s", HISTOGRAM, "rpc_server_call_duration_seconds"),
        ("process.cpu.time", "s", COUNTER, "process_cpu_time_seconds_total"),
        ("partisan.channel.io", "By", COUNTER, "partisan_channel_io_bytes_total"),
        ("partisan.calls", "{call}", COUNTER, "partisan_calls_total"),
        ("partisan.broadcast.redundancy", "1", GAUGE, "partisan_broadcast_redundancy_ratio"),
        ("orders-total", "{order}", COUNTER, "orders_total"),
    ],
)
def test_names_are_those_of_opentelemetry_s_mapping(name: str, unit: str, kind: str, expected: str) -> None:
    assert prometheus_name(name, unit, kind) == expected


def test_a_counter_has_its_labels_and_its_value() -> None:
    found = samples(point("partisan.calls", 3, "A", "m", "ask"))

    (((name, labels), value),) = found.items()
    assert (name, value) == ("partisan_calls_total", 3)
    assert dict(labels) == {"partisan_actor_class": "A", "partisan_actor_method": "m", "partisan_call_kind": "ask"}


def test_the_buckets_of_a_histogram_are_cumulative_and_resolve_50_microseconds() -> None:
    histogram = Histogram()
    for duration_ns in (40_000, 60_000, 60_000, 90 * 10**9):
        histogram.observe(duration_ns)

    found = samples(point("partisan.loop.lag", histogram.plain(), "worker"))

    role = ("partisan_process_role", "worker")
    buckets = {dict(labels)["le"]: value for (name, labels), value in found.items() if name.endswith("_bucket")}
    assert (buckets["5e-05"], buckets["0.0001"], buckets["60.0"], buckets["+Inf"]) == (1, 3, 3, 4)
    assert found["partisan_loop_lag_seconds_count", frozenset([role])] == 4
    assert found["partisan_loop_lag_seconds_sum", frozenset([role])] == pytest.approx(90.00016)


def test_values_of_labels_may_be_anything() -> None:
    nasty = 'a"b\\c\nd'

    (((_, labels), _),) = samples(point("partisan.mailbox.size", 1, nasty)).items()

    assert dict(labels) == {"partisan_actor_class": nasty}


def test_points_of_one_metric_may_have_different_attributes() -> None:
    both = [
        {"name": "mine", "type": GAUGE, "unit": "", "description": "", "attributes": tags, "value": 1}
        for tags in ({"a": "1"}, {"b": "2"})
    ]

    assert {labels for _, labels in samples(*both)} == {
        frozenset({("a", "1"), ("b", "")}),
        frozenset({("a", ""), ("b", "2")}),
    }


def test_who_tells_it_is_told() -> None:
    text, kind = exposition([], {"service.name": "shop", "partisan.node.name": "n1"})

    assert b'target_info{partisan_node_name="n1",service_name="shop"} 1.0' in text
    assert kind.startswith("text/plain; version=0.0.4")


def test_every_metric_of_the_table_is_read_back() -> None:
    points = [each for metric in METRICS.values() for each in example(metric)]

    names = {name for name, _ in samples(*points)}

    for metric in METRICS.values():
        name = prometheus_name(metric.name, metric.unit, metric.type)
        assert name in names or f"{name}_bucket" in names


@pytest.mark.skipif(PROMTOOL is None, reason="promtool, of Debian's package prometheus, is not installed")
def test_promtool_has_nothing_to_say_but_that_names_end_in_count() -> None:
    text, _ = exposition([each for metric in METRICS.values() for each in example(metric)], {"service.name": "x"})

    told = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)

    # The semantic conventions call gauges so, and a rule of promtool's keeps that end of names for histograms.
    complaints = (told.stdout + told.stderr).decode().splitlines()
    assert [line for line in complaints if 'should not have "_count" suffix' not in line] == []
