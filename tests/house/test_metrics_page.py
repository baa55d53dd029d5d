"""The page of metrics says of each exactly what the table in the code says; and the keys are ours or conventions'."""

from __future__ import annotations

import importlib
import pkgutil
import re
from types import ModuleType
from typing import Final

from opentelemetry.semconv._incubating import attributes, metrics

from partisan_actors.telemetry.exposition import prometheus_name
from partisan_actors.telemetry.histogram import BOUNDS_S
from partisan_actors.telemetry.meters import CLASSES_MAX, PERIOD_MAX, TIMED_EVERY_NS
from partisan_actors.telemetry.metrics import METRICS, Metric
from partisan_actors.telemetry.outcomes import ERROR_TYPES_MAX
from partisan_actors.telemetry.sent_meters import BURST
from partisan_actors.telemetry.user_metrics import INSTRUMENTS_MAX, NODE_SERIES_MAX, SERIES_MAX
from tests.house.source import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "metrics.md"


def row_of(metric: Metric) -> str:
    """The row of the page's table that says what the code's table says."""
    keys = ", ".join(f"`{key}`" for key in metric.attributes)
    told = prometheus_name(metric.name, metric.unit, metric.type)
    return f"| `{metric.name}` | {metric.type} | {metric.unit} | {metric.description} | {keys} | `{told}` |"


def test_the_page_lists_every_metric_as_the_code_has_it() -> None:
    listed = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| `[a-z.]+\.[a-z_.]+` \|", line)
    ]

    assert listed == [row_of(metric) for metric in METRICS.values()]


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())

    assert f"at most {10**9 // TIMED_EVERY_NS} times a second" in text and f"n being at most {PERIOD_MAX}" in text
    assert f"{BURST} at once and {10**9 // TIMED_EVERY_NS} a second" in text
    assert f"One method has {ERROR_TYPES_MAX} of them" in text
    assert f"figures of {CLASSES_MAX:,} classes" in text
    assert (
        f"takes {INSTRUMENTS_MAX} of them, {SERIES_MAX:,} combinations of tags of each, and {NODE_SERIES_MAX:,} of all"
        in text
    )
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
    ends = re.findall(r"([\d.]+) (us|ms|s)\b", text.partition("Buckets end at")[2].partition("on all nodes")[0])
    assert [round(float(number) * units[unit], 9) for number, unit in ends] == list(BOUNDS_S)


def test_names_and_keys_are_conventions_or_begin_with_ours() -> None:
    known = _texts_of(metrics) | _texts_of(attributes)
    used = {name for metric in METRICS.values() for name in (metric.name, *metric.attributes)}

    assert {name for name in used if not name.startswith("partisan.")} - known == set()


def _texts_of(package: ModuleType) -> set[str]:
    """What the modules of a package of the conventions have as constants."""
    found: set[str] = set()
    for module in pkgutil.iter_modules(package.__path__):
        values = vars(importlib.import_module(f"{package.__name__}.{module.name}")).values()
        found |= {value for value in values if isinstance(value, str)}
    return found
