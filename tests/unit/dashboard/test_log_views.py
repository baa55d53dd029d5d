"""Tests of the page of logs: rows of all nodes in the order of time, by what is asked for."""

from __future__ import annotations

import logging
from typing import Any

from partisan_actors.telemetry.recent_logs import RecentLogs
from tests.unit.dashboard.fakes import FakeCluster, member, served
from tests.unit.dashboard.test_jaeger import asked


def cluster() -> FakeCluster:
    made = FakeCluster(member("a"), member("b"), member("c"))
    for name, first in (("a", 0), ("b", 1)):
        recent = RecentLogs()
        for number in range(first, 20, 2):
            level = logging.ERROR if number == 7 else logging.INFO
            record = logging.LogRecord("shop", level, __file__, 1, "number %d", (number,), None)
            record.created = float(number)
            recent.add(record, {"node": name, "actor_id": f"actor:{name}~1/1", "actor_class": "C", "trace_id": None})
        made.answers[name, "logs.tail"] = recent.tail
    return made


def numbers(found: dict[str, Any]) -> list[int]:
    return [int(row["message"].split()[1]) for row in found["rows"]]


async def test_rows_of_all_nodes_come_in_the_order_of_time_and_the_newest_are_kept() -> None:
    async with served(cluster()) as (client, _):
        found = await asked(client, "/api/v1/logs", limit="5")

    assert numbers(found) == [15, 16, 17, 18, 19] and found["cut"]
    assert (found["asked"], found["answered"]) == (3, 2)


async def test_rows_are_chosen_by_node_level_actor_and_text() -> None:
    async with served(cluster()) as (client, _):
        by_node = await asked(client, "/api/v1/logs", node="a")
        by_level = await asked(client, "/api/v1/logs", level="ERROR")
        by_actor = await asked(client, "/api/v1/logs", actor="actor:b~1/1", q="NUMBER 1")
        await asked(client, "/api/v1/logs", status=400, level="LOUD")
        await asked(client, "/api/v1/logs", status=400, limit="5000")

    assert numbers(by_node) == list(range(0, 20, 2))
    assert numbers(by_level) == [7]
    assert numbers(by_actor) == [1, 11, 13, 15, 17, 19]
