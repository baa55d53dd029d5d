"""The expressions of Grafana's dashboards and Prometheus' alerts in `tracing/`, as Prometheus would be asked them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["DASHBOARDS", "FOLDER", "alert_rules", "panels", "questions"]

FOLDER: Final = Path(__file__).parents[1] / "tracing"
DASHBOARDS: Final = sorted((FOLDER / "grafana").glob("*.json"))


def panels(dashboard: Path) -> list[dict[str, Any]]:
    """The panels of one of them."""
    found: list[dict[str, Any]] = json.loads(dashboard.read_text(encoding="utf-8"))["panels"]
    return found


def alert_rules() -> list[dict[str, Any]]:
    """All alerts."""
    groups = yaml.safe_load((FOLDER / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def questions(interval: str = "1m") -> list[str]:
    """Every expression of the dashboards, with what Grafana fills in filled in: everything, over `interval`."""
    found = [target["expr"] for path in DASHBOARDS for panel in panels(path) for target in panel["targets"]]
    for variable, value in (("$__rate_interval", interval), ("$node", ".*"), ("$class", ".*")):
        found = [expression.replace(variable, value) for expression in found]
    return found
