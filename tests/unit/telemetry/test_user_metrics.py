"""Tests of what a node records for users: nothing is lost below the bounds, and nothing grows beyond them."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry import user_metrics as module
from partisan_actors.telemetry.meters import OTHERS
from partisan_actors.telemetry.user_metrics import UserMetrics


def about(name: str = "orders", kind: str = "counter") -> dict[str, Any]:
    return {"name": name, "type": kind, "unit": "", "description": "what it is"}


def add(recorded: UserMetrics, name: str = "orders", **tags: str) -> None:
    recorded.record(about(name), (), tuple(tags.items()), lambda before: (before or 0) + 1)


def values(recorded: UserMetrics) -> dict[tuple[str, ...], float]:
    return {(point["name"], *point["attributes"].values()): point["value"] for point in recorded.points()}


def test_each_combination_of_tags_is_a_series() -> None:
    recorded = UserMetrics()
    for shop in ("a", "b", "a"):
        add(recorded, shop=shop)

    assert values(recorded) == {("orders", "a"): 2, ("orders", "b"): 1}
    assert recorded.points()[0] == {**about(), "attributes": {"shop": "a"}, "value": 2}


def test_beyond_the_bound_of_series_new_tags_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SERIES_MAX", 2)
    recorded = UserMetrics()
    for shop in "abcda":
        add(recorded, shop=shop)

    assert values(recorded) == {("orders", "a"): 2, ("orders", "b"): 1, ("orders", OTHERS): 2}


def test_and_so_they_are_beyond_that_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NODE_SERIES_MAX", 2)
    recorded = UserMetrics()
    for name in ("x", "y"):
        for shop in "abc":
            add(recorded, name, shop=shop)

    assert values(recorded) == {("x", "a"): 1, ("x", "b"): 1, ("x", OTHERS): 1, ("y", OTHERS): 3}


def test_beyond_the_bound_of_instruments_new_ones_are_not_recorded_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "INSTRUMENTS_MAX", 1)
    recorded = UserMetrics()
    with caplog.at_level(logging.WARNING):
        for name in ("x", "y", "z", "x"):
            add(recorded, name)

    assert values(recorded) == {("x",): 2}
    assert len(caplog.records) == 1 and "y is not recorded" in caplog.text


def test_one_name_is_one_instrument() -> None:
    recorded = UserMetrics()
    add(recorded)

    with pytest.raises(ConfigError, match="there is a counter of that name already"):
        recorded.record(about(kind="gauge"), (), (), lambda before: 1)


def test_threads_lose_nothing() -> None:
    recorded = UserMetrics()

    def work() -> None:
        for number in range(2_000):
            add(recorded, shop=str(number % 3))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(values(recorded).values()) == 8_000
