"""Tests of a dashboard in the process of a node: what it may be told, and that it does not stand still with it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from partisan_actors.api.beside import check_dashboard
from partisan_actors.api.runtime import Runtime
from partisan_actors.dashboard.beside import TOKEN_VARIABLE, open_beside, options_of
from partisan_actors.dashboard.options import DEFAULT_PORT, DashboardOptions
from partisan_actors.errors import ConfigError
from tests.nodes import COOKIE, config_of


@asynccontextmanager
async def node() -> AsyncIterator[Runtime]:
    runtime = Runtime(config_of("a", bind=("127.0.0.1:0",)))
    await runtime.start()
    try:
        yield runtime
    finally:
        await runtime.close()


def fetched(url: str) -> tuple[int, Any]:
    """Blocks the thread, and so the loop of whoever calls this."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_what_is_wanted_can_be_said_in_several_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "from-the-environment")

    wanted: list[Any] = [True, 81, "82", "0.0.0.0:83", {"port": 84, "read_only": True}]
    options = [options_of(each) for each in wanted]

    assert [each.port for each in options] == [DEFAULT_PORT, 81, 82, 83, 84]
    assert options[3].host == "0.0.0.0" and options[4].read_only
    assert {each.token for each in options} == {"from-the-environment"}


@pytest.mark.parametrize("wrong", [None, 1.5, "nowhere:x", [], b"80"])
def test_what_makes_no_sense_is_refused_before_a_node_starts(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        check_dashboard(wrong)


def test_an_option_that_there_is_not_is_named() -> None:
    with pytest.raises(ConfigError, match="tokn"):
        options_of({"tokn": "x"})


async def test_it_says_that_the_loop_of_its_node_stands_still() -> None:
    async with node() as runtime:
        await runtime.open_dashboard(0)
        assert runtime.dashboard is not None
        url = runtime.dashboard.url

        assert (await asyncio.to_thread(fetched, f"{url}alive"))[0] == 200
        while_blocked: tuple[int, Any] = (200, None)
        deadline = time.monotonic() + 60
        while while_blocked[0] == 200 and time.monotonic() < deadline:  # answers are shared for a moment
            while_blocked = fetched(f"{url}alive")  # on the node's loop, which stands still for as long
        assert while_blocked[0] == 503 and "stands still" in while_blocked[1]["detail"]
        async with asyncio.timeout(60):
            while (await asyncio.to_thread(fetched, f"{url}alive"))[0] != 200:
                await asyncio.sleep(0.05)


async def test_it_ends_with_its_node_and_leaves_no_thread() -> None:
    async with node() as runtime:
        await runtime.open_dashboard(0)
        assert "partisan-dashboard" in {thread.name for thread in threading.enumerate()}

    assert "partisan-dashboard" not in {thread.name for thread in threading.enumerate()}


async def test_a_port_that_is_taken_is_an_error_unless_any_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async with node() as runtime:
        address = runtime.node.address
        first = await open_beside(0, address, COOKIE, "", None)
        port = int(first.url.rstrip("/").rpartition(":")[2])
        monkeypatch.setattr("partisan_actors.dashboard.beside.options_of", lambda wanted: DashboardOptions(port=port))
        try:
            with pytest.raises(ConfigError, match="--port"):
                await open_beside(port, address, COOKIE, "", None)
            second = await open_beside(True, address, COOKIE, "", None)
            await second.close()
        finally:
            await first.close()

    assert second.url != first.url
