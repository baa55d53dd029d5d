"""Dashboards and alerts in `tracing/` ask for metrics and labels that there are, and for all that people should see."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from partisan_actors.dashboard.options import DEFAULT_PORT
from partisan_actors.telemetry.exposition import prometheus_name
from partisan_actors.telemetry.metrics import HISTOGRAM, METRICS
from tests.grafana import DASHBOARDS, FOLDER, alert_rules, panels, questions

PROMTOOL: Final = shutil.which("promtool")
# What no metric of ours is, but Prometheus' own word of what it scrapes.
OTHERS: Final = {"up"}


def series() -> set[str]:
    """What Prometheus gets, by name."""
    names = set()
    for metric in METRICS.values():
        name = prometheus_name(metric.name, metric.unit, metric.type)
        names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if metric.type == HISTOGRAM else {name}
    return names


def labels() -> set[str]:
    """The names of their labels."""
    keys = {key for metric in METRICS.values() for key in metric.attributes}
    return {re.sub(r"\W", "_", key) for key in keys} | {"partisan_node_name", "le"}


def unknown(expression: str) -> set[str]:
    """What looks like a metric or a label of ours in an expression, and is none."""
    words = set(re.findall(r"\b(?:partisan|process|rpc|messaging)_\w+", re.sub(r'"[^"]*"', '""', expression)))
    return words - series() - labels()


@pytest.mark.parametrize("expression", [*questions(), *(str(rule["expr"]) for rule in alert_rules())])
def test_every_expression_asks_for_what_there_is(expression: str) -> None:
    assert unknown(expression) == set()
    assert set(re.findall(r"\w+", expression)) & (series() | OTHERS)


def test_a_planted_misspelling_is_found() -> None:
    assert unknown('sum by (partisan_actor_clas) (rate(partisan_call_total{partisan_channel="x_y"}[5m]))') == {
        "partisan_actor_clas",
        "partisan_call_total",
    }


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_can_be_imported(path: Path) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))

    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids) and board["uid"] and board["title"] and board["schemaVersion"] >= 39
    assert {"datasource", "node"} <= {variable["name"] for variable in board["templating"]["list"]}
    for panel in board["panels"]:
        where = panel["gridPos"]
        assert where["x"] + where["w"] <= 24 and panel["title"] and panel["targets"]


def test_panels_do_not_lie_on_each_other() -> None:
    for path in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in panels(path):
            where = panel["gridPos"]
            cells = {(x, y) for x in range(where["x"], where["x"] + where["w"])
                     for y in range(where["y"], where["y"] + where["h"])}  # fmt: skip
            assert not cells & taken, panel["title"]
            taken |= cells


def test_every_alert_says_what_is_wrong_and_what_to_look_at() -> None:
    rules = alert_rules()

    assert len({rule["alert"] for rule in rules}) == len(rules) >= 10
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert len(rule["annotations"]["summary"]) > 20 and len(rule["annotations"]["description"]) > 20


def test_prometheus_looks_where_the_dashboard_is() -> None:
    config = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))

    (job,) = config["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"127.0.0.1:{DEFAULT_PORT}"]}]
    assert all((FOLDER / "prometheus" / name).is_file() for name in config["rule_files"])


@pytest.mark.skipif(PROMTOOL is None, reason="promtool, of Debian's package prometheus, is not installed")
@pytest.mark.parametrize("what", [("rules", "alerts.yaml"), ("config", "prometheus.yaml")])
def test_promtool_takes_the_files(what: tuple[str, str]) -> None:
    kind, name = what
    checked = subprocess.run(
        ["promtool", "check", kind, str(FOLDER / "prometheus" / name)], capture_output=True, text=True, timeout=60
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
