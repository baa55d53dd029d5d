"""Tests of the settings of a running node: what is told, what may be changed, and that a change has an effect."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import ConfigError
from partisan_actors.node.config import NodeConfig
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.transport.memory import MemoryNetwork
from tests.integration.nodes import nodes, until
from tests.unit.api.runtimes import runtimes

SECRET = b"0123456789abcdef-secret"


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    levels = {name: logging.getLogger(name).level for name in ("", "shop")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


async def told(runtime: Runtime) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in await runtime.settings.effective(None)}


async def test_every_setting_is_told_as_plain_data_and_no_secret_is() -> None:
    async with runtimes(MemoryNetwork(), "a", cookie=SECRET, routing="relay") as (a,):
        rows = await told(a)

    text = json.dumps(rows)
    assert set(NodeConfig.__dataclass_fields__) - {"sources", "observer"} <= set(rows)
    assert "secret" not in text and rows["cookie"]["value"] == f"<{len(SECRET)} bytes>"
    assert (rows["routing"]["value"], rows["routing"]["source"]) == ("relay", "given")
    assert rows["checksums"]["source"] == "default" and rows["tracing.level"]["value"] == "off"
    assert {name for name, row in rows.items() if row["may_change"]} == {
        "log_level",
        "tracing.level",
        "tracing.sampling",
        "tracing.traces_per_second",
    }


async def test_the_level_of_logs_is_changed_of_all_or_of_one_logger_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        logging.getLogger().setLevel("WARNING")

        changed = await a.settings.change(None, "log_level", "error", "me")
        await a.settings.change(None, "log_level.shop", "DEBUG", "you")
        rows = await told(a)

    assert changed == {"name": "log_level", "before": "WARNING", "now": "ERROR"}
    assert logging.getLogger().level == logging.ERROR and logging.getLogger("shop").level == logging.DEBUG
    assert (rows["log_level"]["value"], rows["log_level"]["source"]) == ("ERROR", "changed while it ran, by me")
    assert rows["log_level.shop"]["value"] == "DEBUG"
    assert "audit: you changes log_level.shop from ERROR to DEBUG" not in caplog.messages, "the level was ERROR by then"
    assert "audit: me changes log_level from WARNING to ERROR" not in caplog.messages


async def test_tracing_is_switched_on_and_off_while_a_node_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[TracingOptions] = []

    async def start(self: Runtime, options: TracingOptions) -> None:
        started.append(options)
        self._tracing = Closed()

    monkeypatch.setattr(Runtime, "_start_tracing", start)
    async with runtimes(MemoryNetwork(), "a") as (a,):
        before = a.recorder.enabled
        await a.settings.change(None, "tracing.level", "full", "me")
        during = a.recorder.enabled, a.recorder.full_enabled, (await a.traces.services(None))["level"]
        await a.settings.change(None, "tracing.sampling", "0.25", "me")
        await a.settings.change(None, "tracing.traces_per_second", "5", "me")
        rows = await told(a)
        shared = a.settings_for_workers()["tracing"]
        await a.settings.change(None, "tracing.level", "off", "me")
        after = a.recorder.enabled, a.settings_for_workers()["tracing"]

    assert not before and during == (True, True, "full") and after == (False, None)
    assert [options.export for options in started] == [False], "nobody has said where spans are to go"
    assert rows["tracing.sampling"]["value"] == 0.25 and rows["tracing.traces_per_second"]["value"] == 5.0
    assert shared["level"] == "full" and shared["traces_per_second"] == 5.0


class Closed:
    """Tracing that has nothing to export."""

    is_finished = True

    def begin_close(self) -> None:
        """Nothing is left."""

    def close(self, timeout_s: float) -> bool:
        return True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("overlay", "full_mesh"),
        ("log_level", "LOUD"),
        ("log_level.shop", ""),
        ("tracing.level", "everything"),
        ("tracing.sampling", "1.5"),
        ("tracing.sampling", "some"),
        ("tracing.traces_per_second", "-1"),
        ("tracing.trace_file", "x"),
    ],
)
async def test_what_may_not_be_is_refused_and_changes_nothing(name: str, value: str) -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        before = await told(a)

        with pytest.raises(ConfigError):
            await a.settings.change(None, name, value, "me")

        assert await told(a) == before


async def test_tracing_that_the_environment_forbids_stays_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with runtimes(MemoryNetwork(), "a") as (a,):
        with pytest.raises(ConfigError, match="OTEL_SDK_DISABLED"):
            await a.settings.change(None, "tracing.level", "calls", "me")


async def test_changes_of_tracing_at_the_same_time_all_have_an_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[TracingOptions] = []

    async def start(self: Runtime, options: TracingOptions) -> None:
        started.append(options)
        await asyncio.sleep(0)  # as a thread that loads it would
        self._tracing = Closed()

    monkeypatch.setattr(Runtime, "_start_tracing", start)
    async with runtimes(MemoryNetwork(), "a") as (a,):
        await asyncio.gather(
            a.settings.change(None, "tracing.level", "full", "me"),
            a.settings.change(None, "tracing.traces_per_second", "7", "you"),
            a.settings.change(None, "tracing.sampling", "0.5", "us"),
        )
        rows = await told(a)

    assert len(started) == 1
    values = [rows[f"tracing.{name}"]["value"] for name in ("level", "traces_per_second", "sampling")]
    assert values == ["full", 7.0, 0.5]


async def test_where_the_environment_says_how_much_is_traced_a_change_brings_no_other_limit_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    used: list[TracingOptions] = []

    async def start(self: Runtime, options: TracingOptions) -> None:
        used.append(options)
        self._tracing = Closed()

    monkeypatch.setattr(Runtime, "_start_tracing", start)
    async with runtimes(MemoryNetwork(), "a") as (a,):
        await a.settings.change(None, "tracing.level", "full", "me")

    assert [options.traces_per_second for options in used] == [None]


@pa.actor
class Waits:
    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()

    async def wait(self) -> None:
        self.begun += 1
        await self.may_end.wait()


@pa.actor
class Blocks:
    def block(self) -> None:
        """One at a time."""


async def test_how_many_calls_actors_of_a_class_begin_is_changed_while_they_run() -> None:
    async with nodes("a") as cluster:
        a = cluster["a"]
        with cluster.at("a"):
            actor, other = Waits.options(max_concurrency=1).remote(), Blocks.remote()
            await other.block.remote()
            calls = [actor.wait.remote() for _ in range(4)]
            (cell,) = [each for each in a.system.local_cells() if each.definition.cls.__name__ == "Waits"]
            await until(lambda: cell.instance is not None and cell.instance.begun == 1 and cell.mailbox_size == 3)
            rows = await told(a)
            assert rows["concurrency.Waits"]["value"] == 1 and rows["concurrency.Waits"]["may_change"]

            changed = await a.settings.change(None, "concurrency.Waits", "3", "me")
            await until(lambda: cell.instance.begun == 3)
            assert changed == {"name": "concurrency.Waits", "before": 1, "now": 3} and cell.mailbox_size == 1
            assert (await told(a))["concurrency.Waits"]["source"] == "changed while it ran, by me"
            for name, value in (("Waits", "0"), ("Waits", "x"), ("Nobody", "2"), ("Blocks", "2")):
                with pytest.raises(ConfigError):
                    await a.settings.change(None, f"concurrency.{name}", value, "me")
            await a.settings.change(None, "concurrency.Waits", "1", "me")
            cell.instance.may_end.set()
            for call in calls:
                await call


@pa.actor
class Threads:
    def __init__(self) -> None:
        self.begun = 0
        self.may_end = threading.Event()

    def wait(self) -> None:
        self.begun += 1
        self.may_end.wait(60)


async def test_an_actor_that_was_made_with_several_threads_gets_more_or_fewer() -> None:
    async with nodes("a") as cluster:
        a = cluster["a"]
        with cluster.at("a"):
            actor = Threads.options(max_concurrency=2).remote()
            calls = [actor.wait.remote() for _ in range(4)]
            await until(lambda: any(each.instance is not None for each in a.system.local_cells()))
            (cell,) = a.system.local_cells()
            await until(lambda: cell.instance.begun == 2)

            changed = await a.settings.change(None, "concurrency.Threads", "4", "me")
            await until(lambda: cell.instance.begun == 4)
            assert changed["before"] == 2
            with pytest.raises(ConfigError, match="concurrency = 1001 is not valid: expected from 1 to 1000, as each"):
                await a.settings.change(None, "concurrency.Threads", "1001", "me")
            assert (
                next(row["value"] for row in await a.settings.effective(None) if row["name"] == "concurrency.Threads")
                == 4
            )
            cell.instance.may_end.set()
            for call in calls:
                await call
