"""Points of metrics as Prometheus reads them; the only module that imports prometheus_client, on first use.

Names follow OpenTelemetry's mapping: dots become underscores, the unit is appended (`_seconds`, `_bytes`, `_ratio`),
and counters end in `_total`. So `rpc.server.call.duration` is `rpc_server_call_duration_seconds`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Final

from partisan_actors.telemetry.metrics import COUNTER, HISTOGRAM, Point

__all__ = ["exposition", "prometheus_name"]

_SUFFIXES: Final = {"s": "_seconds", "By": "_bytes", "1": "_ratio"}
_NOT_ALLOWED: Final = re.compile(r"[^a-zA-Z0-9_]")


def exposition(points: Iterable[Point], resource: Mapping[str, object] | None = None) -> tuple[bytes, str]:
    """The body and the content type of an answer to Prometheus.

    `resource` says who tells this, as labels of the metric `target_info`.
    """
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    families = [*_families(points)]
    if resource:
        from prometheus_client.core import GaugeMetricFamily

        labels = {_label(key): str(value) for key, value in resource.items()}
        target = GaugeMetricFamily("target_info", "Who tells these metrics.", labels=list(labels))
        target.add_metric(list(labels.values()), 1)
        families.append(target)
    return generate_latest(_Collected(families)), CONTENT_TYPE_PLAIN_0_0_4


def prometheus_name(name: str, unit: str, kind: str) -> str:
    """What Prometheus calls that metric; of a histogram, what the names of its series begin with."""
    found = _NOT_ALLOWED.sub("_", name)
    suffix = _SUFFIXES.get(unit, "")
    if not found.endswith(suffix):
        found += suffix
    return found + "_total" if kind == COUNTER and not found.endswith("_total") else found


class _Collected:
    """Stands for a registry."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> list[Any]:
        """The families, as a registry gives them."""
        return self._families


def _families(points: Iterable[Point]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    by_name: dict[str, list[Point]] = {}
    for point in points:
        by_name.setdefault(point["name"], []).append(point)
    for same in by_name.values():
        first = same[0]
        name = prometheus_name(first["name"], first["unit"], first["type"])
        keys = list(dict.fromkeys(key for point in same for key in point["attributes"]))
        kind = {COUNTER: CounterMetricFamily, HISTOGRAM: HistogramMetricFamily}.get(first["type"], GaugeMetricFamily)
        family = kind(name, first["description"] or first["name"], labels=[_label(key) for key in keys])
        for point in same:
            values = [str(point["attributes"].get(key, "")) for key in keys]
            if first["type"] == HISTOGRAM:
                bounds = [*(repr(float(bound)) for bound in point["bounds"]), "+Inf"]
                family.add_metric(values, list(zip(bounds, accumulate(point["buckets"]), strict=True)), point["sum"])
            else:
                family.add_metric(values, point["value"])
        yield family


def _label(key: str) -> str:
    return _NOT_ALLOWED.sub("_", key)
