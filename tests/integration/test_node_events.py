"""Who is told of nodes that come and go: functions, coroutines, actors and ``async for``, on nodes in memory."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api import events as api_events
from tests.integration.nodes import Nodes, nodes, until

FAST = {"dial_timeout_s": 0.2}


@pa.actor
class Witness:
    """Writes down what it is told; by itself, if it is asked to."""

    def __init__(self, by_itself: bool = False) -> None:
        self.told: list[tuple[str, str]] = []
        if by_itself:
            pa.on_node_up(self.note)
            pa.on_node_down(self.note)

    def note(self, event: pa.NodeEvent) -> None:
        self.told.append((event.kind, event.node))

    async def seen(self) -> list[tuple[str, str]]:
        return self.told


async def crash_and_return(cluster: Nodes, name: str, overlay: str) -> None:
    """A node ends without a word, everybody knows, and another life of it starts.

    What it said last is with everybody by then: whoever has noticed its end first would take that for a refutation.
    """
    await until(lambda: len({each.node.directory.stamps[name] for each in cluster.runtimes.values()}) == 1)
    await cluster.crash(name)
    await until(
        lambda: all(
            name not in {record.node.name for record in each.node.directory.live()}
            for each in cluster.runtimes.values()
        )
    )
    await cluster.add(name, overlay=overlay, **FAST)


BOTH = [("down", "c"), ("up", "c")]


@pytest.mark.parametrize("overlay", ["hyparview", "full_mesh", "scamp_v2", "client_server"])
async def test_everybody_who_asked_is_told_once_and_in_order(overlay: str) -> None:
    plain: list[Any] = []
    coroutine: list[Any] = []
    threads: set[str] = set()

    def on_thread(event: pa.NodeEvent) -> None:
        threads.add(threading.current_thread().name)
        plain.append((event.kind, event.node))

    async def on_loop(event: pa.NodeEvent) -> None:
        await asyncio.sleep(0)
        coroutine.append((event.kind, event.node))

    async with nodes("a", "b", "c", overlay=overlay, **FAST) as cluster:
        with cluster.at("a"):
            outside = Witness.options(placement=pa.NodeAffinity("b")).remote()
            inside = Witness.options(placement=pa.NodeAffinity("b")).remote(by_itself=True)
            await inside.seen.remote()
            for subscribe in (pa.on_node_up, pa.on_node_down):
                subscribe(on_thread)
                subscribe(on_loop)
                subscribe(outside.note)
            stream = pa.node_events()

        await crash_and_return(cluster, "c", overlay)

        with stream:
            streamed = [await anext(stream) for _ in range(2)]
        assert [(event.kind, event.node) for event in streamed] == BOTH
        assert streamed[0].id.startswith("c~") and streamed[0].id != streamed[1].id
        await until(lambda: len(plain) == len(coroutine) == 2)
        assert plain == coroutine == BOTH
        assert all(name.endswith("node-events") for name in threads)
        for witness in (outside, inside):
            async with asyncio.timeout(30):
                while (seen := await witness.seen.remote()) != BOTH:
                    assert len(seen) < 2
                    await asyncio.sleep(0.01)


async def test_who_names_a_node_that_is_not_there_is_told_at_once() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            told: list[pa.NodeEvent] = []
            cancel = pa.on_node_down(told.append, node="never")
            pa.on_node_down(told.append, node="b")
            await until(lambda: told)
            cancel()

            with pa.node_events(node="never") as stream:
                assert (await anext(stream)).why == "it is not known"

        assert [(event.kind, event.node) for event in told] == [("down", "never")]


async def test_what_was_cancelled_is_not_told_and_leaves_nothing_behind() -> None:
    async with nodes("a", "b", "c", **FAST) as cluster:
        with cluster.at("a"):
            witness = Witness.options(placement=pa.NodeAffinity("a")).remote(by_itself=True)
            await witness.seen.remote()
            events = cluster["a"].node.events
            told: list[pa.NodeEvent] = []
            cancel = pa.on_node_down(told.append)
            stream = pa.node_events()
            assert len(events) == 4
            cancel()
            stream.close()
            pa.kill(witness)

            await until(lambda: len(events) == 0)
            handlers = len(cluster["a"].system.on_cell_stopped)
            await cluster.crash("c")
            await until(lambda: len(cluster["a"].node.directory.live()) == 2)

        assert told == [] and handlers == len(cluster["a"].system.on_cell_stopped)
        assert [event async for event in stream] == []


async def test_a_reader_that_never_reads_gets_what_there_was_and_then_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_events, "EVENTS_MAX", 3)
    async with nodes("a") as cluster:
        with cluster.at("a"):
            stream = pa.node_events()
        for number in range(5):
            stream._add(pa.NodeEvent("up", f"n{number}", f"n{number}~1"))

        read = [(await anext(stream)).node for _ in range(3)]

        assert read == ["n0", "n1", "n2"]
        with pytest.raises(pa.Overloaded):
            await anext(stream)
        await until(lambda: len(cluster["a"].node.events) == 0)


async def test_a_reader_that_waits_ends_with_the_node() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            stream = pa.node_events()
        waiting = asyncio.ensure_future(_all_of(stream))
        await asyncio.sleep(0)

        await cluster.runtimes.pop("a").close()

        assert await asyncio.wait_for(waiting, 30) == []


async def _all_of(stream: pa.NodeEvents) -> list[pa.NodeEvent]:
    return [event async for event in stream]


async def test_what_is_no_function_and_a_channel_that_there_is_not_are_refused() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            with pytest.raises(TypeError, match="a function or an actor's method, not to a str"):
                pa.on_node_up("print")  # type: ignore[arg-type]  # that is the point
            with pytest.raises(pa.ConfigError, match="one of control"):
                pa.on_node_up(print, channel="smoke")
            with pytest.raises(pa.ConfigError, match="one of control"):
                pa.node_events(channel="smoke")
