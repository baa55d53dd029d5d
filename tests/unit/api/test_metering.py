"""Tests of what a node tells of itself in figures: rows that are true, points that the table knows, bounded answers."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from partisan_actors.actors.actor import Definition
from partisan_actors.actors.options import CellOptions
from partisan_actors.actors.replies import Reply
from partisan_actors.api import metering
from partisan_actors.api.metering import METRICS_SERVICE
from partisan_actors.api.runtime import Runtime
from partisan_actors.ids import ActorId
from partisan_actors.telemetry.histogram import BOUNDS_S
from partisan_actors.telemetry.meters import OTHERS
from partisan_actors.telemetry.metrics import HISTOGRAM, METRICS
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import quiet, until
from tests.unit.api.runtimes import runtimes


class Worker:
    """Has a method of each kind."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.thread_gate = threading.Event()

    async def quick(self) -> int:
        return 1

    async def waits(self) -> None:
        await self.gate.wait()

    async def opens(self) -> None:
        self.gate.set()

    async def fails(self) -> None:
        raise ValueError("no")

    def blocks(self) -> None:
        self.thread_gate.wait(60)


def make(runtime: Runtime, number: int = 1, **options: Any) -> Any:
    """An actor on that node, and its instance once there is one."""
    definition = Definition.of(Worker)
    actor = ActorId(runtime.node.me, number)
    return runtime.system.start_cell(actor, definition, CellOptions(**options), (), {})


def ask(runtime: Runtime, cell: Any, method: str) -> Reply[Any]:
    """Call a method of it from that node."""
    system = runtime.system
    location = system.location(cell.actor, "Worker", None, False, cell.actor.node)
    reply: Reply[Any] = Reply(system.loop)
    system.ask(location, method, (), {}, reply)
    return reply


async def rows(runtime: Runtime) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["method"], row["kind"]): row for row in await runtime.metering.methods()}


async def test_calls_errors_and_times_of_each_method_are_told() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        cell = make(a)
        for _ in range(3):
            await ask(a, cell, "quick")
        failed = ask(a, cell, "fails")
        await until(failed.done)
        a.system.tell(a.system.location(cell.actor, "Worker", None, False, a.node.me), "quick", (), {})
        await until(lambda: cell.processed == 5)

        found = await rows(a)

        assert {key: (row["calls"], row["errors"]) for key, row in found.items()} == {
            ("quick", "ask"): (3, 0),
            ("fails", "ask"): (1, 1),
            ("quick", "tell"): (1, 0),
        }
        assert found["fails", "ask"]["run"]["count"] == 1
        assert all(row["class"] == "Worker" and row["in_flight"] == 0 for row in found.values())


async def test_what_runs_and_what_waits_is_in_flight() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        cell = make(a, max_concurrency=1)
        first = ask(a, cell, "waits")
        others = [ask(a, cell, "quick") for _ in range(3)]
        await until(lambda: cell.mailbox_size == 3)

        found = await rows(a)
        points = {(p["name"], *p["attributes"].values()): p for p in await a.metering.snapshot()}
        cell.instance.gate.set()
        await asyncio.gather(first, *others)

        assert (found["waits", "ask"]["in_flight"], found["quick", "ask"]["in_flight"]) == (1, 3)
        assert points["partisan.mailbox.size", "Worker"]["value"] == 3
        assert points["partisan.actor.count", "Worker", "alive"]["value"] == 1
        assert {row["in_flight"] for row in (await rows(a)).values()} == {0}


async def test_what_waits_for_a_thread_is_in_flight_and_its_wait_is_measured() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        cell = make(a)
        replies = [ask(a, cell, "blocks") for _ in range(2)]
        await until(lambda: cell.mailbox_size == 1 and cell.on_threads())

        in_flight = (await rows(a))["blocks", "ask"]["in_flight"]
        cell.instance.thread_gate.set()
        await asyncio.gather(*replies)

        assert in_flight == 2
        assert (await rows(a))["blocks", "ask"]["wait"]["count"] >= 1


async def test_calls_that_are_refused_are_errors() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        cell = make(a, max_concurrency=1, mailbox_max=1)
        replies = [ask(a, cell, "waits"), ask(a, cell, "quick"), ask(a, cell, "quick")]
        await until(replies[2].done)
        cell.stop("a test")
        await until(lambda: all(reply.done() for reply in replies))
        await quiet()

        found = await rows(a)

        assert {key[0]: (row["calls"], row["errors"]) for key, row in found.items()} == {
            "waits": (1, 1),
            "quick": (2, 2),
        }


async def test_channels_say_what_went_over_them_with_whom() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        cell = make(b)
        for _ in range(5):
            await ask(a, cell, "quick")

        (calls,) = [row for row in await a.metering.channels() if row["channel"] == "calls"]
        (theirs,) = [row for row in await b.metering.channels() if row["channel"] == "calls"]

        assert (calls["peer"], calls["lanes"], calls["queued_messages"], calls["oldest_wait_s"]) == ("b", 1, 0, 0.0)
        assert calls["sent_messages"] >= 5 and calls["sent_messages"] == theirs["received_messages"]
        assert 0 < calls["sent_bytes"] <= theirs["received_bytes"]


async def test_what_a_connection_has_carried_is_counted_when_it_is_gone() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        await ask(a, make(b), "quick")
        peer = a.node.router.peer(b.node.me)
        before = a.node.traffics.by_channel()["calls"].sent_messages
        connection = peer.lanes["calls"][0]
        assert connection is not None
        connection.close()
        await until(lambda: connection not in peer.open)

        after = a.node.traffics.by_channel()["calls"]

        assert after.sent_messages >= before > 0 and after.lanes == 0


async def test_a_lane_that_goes_on_is_a_reconnect_and_counts_on() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        cell = make(b)
        await ask(a, cell, "quick")
        before = a.node.traffics.by_channel()["calls"].sent_messages
        a.node.router.peer(b.node.me).open[-1].cut(ConnectionResetError("a cable was pulled"))
        await until(lambda: a.node.sessions.resumed == 1)
        await ask(a, cell, "quick")

        channels = a.node.traffics.by_channel()

        assert sum(traffic.reconnects for traffic in channels.values()) == 1
        assert channels["calls"].sent_messages > before


async def test_durations_say_how_calls_failed_where_they_ran_and_where_they_were_made() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        cell = make(b)
        await ask(a, cell, "quick")
        for _ in range(2):
            failed = ask(a, cell, "fails")
            await until(failed.done)

        there, here = await b.metering.snapshot(), await a.metering.snapshot()

        for points, name in ((there, "rpc.server.call.duration"), (here, "rpc.client.call.duration")):
            found = {
                (at["rpc.method"], at["rpc.response.status_code"], at.get("error.type")): point["count"]
                for point in points
                if point["name"] == name and (at := point["attributes"])["rpc.method"].startswith("Worker/")
            }
            assert found == {
                ("Worker/quick", "OK", None): 1,
                ("Worker/fails", "APPLICATION_ERROR", "ValueError"): 2,
            }


async def test_tells_are_counted_where_they_are_sent_and_dead_letters_by_class_and_reason() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        cell = make(b)
        location = a.system.location(cell.actor, "Worker", None, False, cell.actor.node)
        await ask(a, cell, "quick")
        a.system.tell(location, "quick", (), {})
        a.system.tell(location, "no_such_method", (), {})
        await until(lambda: b.system.dead_letters.count)
        cell.stop("it was stopped")
        a.system.tell(location, "quick", (), {})
        await until(lambda: b.system.dead_letters.count == 2)

        sent = {
            point["attributes"]["messaging.operation.name"]: point["value"]
            for point in await a.metering.snapshot()
            if point["name"] == "messaging.client.sent.messages"
        }
        dead = {
            tuple(point["attributes"].values()): point["value"]
            for point in await b.metering.snapshot()
            if point["name"] == "partisan.dead_letters"
        }

        assert sent == {"quick": 2, "no_such_method": 1}
        assert dead == {("Worker", "no such method"): 1, ("Worker", "actor ended"): 1}


async def test_every_point_is_one_that_the_table_describes_and_plain() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        await ask(a, make(b), "quick")

        points = await b.metering.snapshot()

        json.dumps(points)
        for point in points:
            metric = METRICS[point["name"]]
            assert (point["type"], point["unit"]) == (metric.type, metric.unit)
            # Nothing has failed here.
            assert tuple(point["attributes"]) == tuple(key for key in metric.attributes if key != "error.type")
            assert all(type(value) is str for value in point["attributes"].values())
            if metric.type == HISTOGRAM:
                assert point["bounds"] == list(BOUNDS_S) and sum(point["buckets"]) == point["count"]
            else:
                assert type(point["value"]) in (int, float)
        assert len(points) == len({(p["name"], tuple(p["attributes"].items())) for p in points})


async def test_every_metric_of_the_table_has_a_point() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        cell = make(b)
        await ask(a, cell, "quick")
        a.system.tell(a.system.location(cell.actor, "Worker", None, False, b.node.me), "quick", (), {})
        b.system.tell(b.system.location(cell.actor, "Worker", None, False, b.node.me), "no_such_method", (), {})
        await ask(b, cell, "quick")
        await until(lambda: cell.processed == 3 and b.system.dead_letters.count)

        told = {point["name"] for point in await b.metering.snapshot()}

        assert set(METRICS) - told == set()


async def test_restarts_are_told_by_class_of_those_that_are_here_and_of_those_that_were_restarted() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        make(a)
        a.scheduler.guardian.restarts_of["Other"] += 2

        points = [point for point in await a.metering.snapshot() if point["name"] == "partisan.actor.restarts"]

        assert {(*p["attributes"].values(), p["value"]) for p in points} == {("Worker", 0), ("Other", 2)}


async def test_the_process_tells_what_it_uses() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        told = await a.metering.process()

        assert told["cpu_s"] > 0 and told["rss_bytes"] > 1_000_000 and told["fds"] > 3 and told["threads"] >= 1
        assert told["incarnation"] == a.node.me.incarnation and told["uptime_s"] >= 0


async def test_the_loop_s_lag_is_that_of_the_timers_there_are_anyhow() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (a, _):
        await until(lambda: a.node.driver.counts.lag.plain()["count"] > 0, "a timer of the protocols")

        assert (await a.metering.process())["loop_lag"]["count"] > 0


async def test_beyond_the_bound_the_rest_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "ROWS_MAX", 2)
    async with runtimes(MemoryNetwork(), "a", "b", "c") as (a, _, _):
        cell = make(a)
        for method, count in (("quick", 3), ("opens", 2), ("waits", 1)):
            for _ in range(count):
                await ask(a, cell, method)

        first, rest = await a.metering.methods()
        channels = await a.metering.channels()

        assert (first["method"], first["calls"]) == ("quick", 3)
        assert (rest["class"], rest["calls"], rest["run"]["count"]) == (OTHERS, 3, 3)
        assert len(channels) == 2 and channels[1]["peer"] == OTHERS and channels[1]["sent_bytes"] > 0


async def test_other_nodes_are_asked_by_the_service() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        await ask(a, make(b), "quick")

        told = await a.system.request(b.node.me, METRICS_SERVICE, "methods")

        assert [(row["method"], row["calls"]) for row in told] == [("quick", 1)]
