"""Tests of what a node does when it is asked to stop from outside."""

from __future__ import annotations

import os

import pytest

from partisan_actors.api.control import CONTROL
from partisan_actors.api.observer import Observer
from partisan_actors.errors import ConfigError
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import COOKIE
from tests.unit.api.runtimes import door, runtimes


async def test_a_node_whose_process_may_be_ended_says_so_and_begins() -> None:
    network = MemoryNetwork()
    asked: list[str] = []
    async with runtimes(network, "a") as (a,), Observer(COOKIE, transport=door(network)) as observer:
        a.control.on_stop = lambda: asked.append("a")
        await observer.connect([a.node.address])

        answer = await observer.ask(observer.contact, CONTROL, "stop")

    assert answer["stops"] is True and answer["pid"] == os.getpid()
    assert asked == ["a"]


async def test_a_program_s_own_node_declines() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,), Observer(COOKIE, transport=door(network)) as observer:
        await observer.connect([a.node.address])

        answer = await observer.ask(observer.contact, CONTROL, "stop")

        assert answer["stops"] is False
        assert not a.node.is_closing


async def test_a_node_that_can_start_another_one_says_how_that_is_called_and_one_that_cannot_refuses() -> None:
    network = MemoryNetwork()

    async def start() -> str:
        return "a-w1"

    async with runtimes(network, "a") as (a,), Observer(COOKIE, transport=door(network)) as observer:
        await observer.connect([a.node.address])
        with pytest.raises(ConfigError, match="partisan start"):
            await observer.ask(observer.contact, CONTROL, "start")

        a.control.on_start = start
        answer = await observer.ask(observer.contact, CONTROL, "start")

    assert answer["name"] == "a-w1"
