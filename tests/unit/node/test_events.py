"""Tests of who is told of nodes and channels that come and go: once for each transition, in order."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.node.directory import DOWN, LEFT, PREFIX, SUSPECT, UP, Directory, NodeRecord
from partisan_actors.node.events import NodeEvent, Subscriptions
from partisan_actors.node.overlay_names import OVERLAYS
from tests.nodes import nodes, overlay, until
from tests.ring_example import load

ME = NodeId("me", 1)


class Host:
    """A node, as far as events are concerned; call-backs wait until they are let run."""

    def __init__(self) -> None:
        self.me = ME
        self.lanes = {"control": 1, "calls": 1}
        self.directory = Directory(ME)
        self.loop: Any = self
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, call: Callable[[], None]) -> None:
        self.soon.append(call)

    def run(self) -> None:
        while self.soon:
            self.soon.pop(0)()

    def write(self, name: str, state: int, incarnation: int = 1, version: int = 1) -> None:
        """The record of a node changes."""
        stamp = (incarnation, version, state, *((1,) if state == SUSPECT else ()))
        plain = NodeRecord(NodeId(name, incarnation), (f"{name}:1",)).packed()
        self.directory.changed(PREFIX + name, stamp, plain)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def events(host: Host) -> Subscriptions:
    return Subscriptions(host)


def told_of(events: Subscriptions, **what: Any) -> list[tuple[str, str]]:
    """Kind and id of what is told from now on."""
    told: list[tuple[str, str]] = []
    events.subscribe(lambda event: told.append((event.kind, event.id)), **what)
    return told


def test_each_transition_is_told_once_and_in_order(host: Host, events: Subscriptions) -> None:
    told = told_of(events)

    for state, version in ((UP, 1), (UP, 2), (SUSPECT, 2), (UP, 3), (SUSPECT, 3), (DOWN, 3), (UP, 4), (LEFT, 5)):
        host.write("a", state, version=version)
    host.run()

    assert told == [("up", "a~1"), ("down", "a~1"), ("up", "a~1"), ("down", "a~1")]


def test_a_life_is_told_down_before_the_one_that_followed_it_is_told_up(host: Host, events: Subscriptions) -> None:
    told = told_of(events, node="a")

    host.run()
    host.write("a", UP, incarnation=1)
    host.write("a", UP, incarnation=2)
    host.write("a", DOWN, incarnation=2)
    host.run()

    assert told == [("down", "a"), ("up", "a~1"), ("down", "a~1"), ("up", "a~2"), ("down", "a~2")]


def test_only_what_was_asked_for_is_told(host: Host, events: Subscriptions) -> None:
    ups, downs, of_a, of_life, of_all = (
        told_of(events, kinds=("up",)),
        told_of(events, kinds=("down",)),
        told_of(events, kinds=("up",), node="a"),
        told_of(events, kinds=("up",), node="a~2"),
        told_of(events),
    )

    host.write("a", UP)
    host.write("b", UP)
    host.write("b", DOWN)
    host.write("a", UP, incarnation=2)
    host.write("me", UP)
    host.run()

    assert ups == [("up", "a~1"), ("up", "b~1"), ("up", "a~2")]
    assert downs == [("down", "b~1"), ("down", "a~1")]
    assert of_a == [("up", "a~1"), ("up", "a~2")] and of_life == [("up", "a~2")]
    assert len(of_all) == 5


def test_who_waits_for_the_end_of_a_node_that_is_not_there_is_told_at_once_and_why(
    host: Host, events: Subscriptions
) -> None:
    host.write("here", UP)
    host.write("suspect", SUSPECT)
    host.write("gone", DOWN)
    host.write("went", LEFT)
    told: list[NodeEvent] = []

    for name in ("here", "suspect", "gone", "went", "never", "here~7"):
        events.subscribe(told.append, ("down",), name)
    events.subscribe(told.append, ("down",))
    events.subscribe(told.append, ("up",), "never")
    host.run()

    assert [(event.kind, event.id, event.why) for event in told] == [
        ("down", "gone~1", "it does not answer"),
        ("down", "went~1", "it left the cluster"),
        ("down", "never", "it is not known"),
        ("down", "here~7", "no such life of it is known"),
    ]


def test_who_subscribes_after_an_event_is_not_told_and_who_cancels_before_is_not_either(
    host: Host, events: Subscriptions
) -> None:
    told: list[str] = []
    cancel = events.subscribe(lambda event: told.append("first"))
    host.write("a", UP)
    late = told_of(events)
    cancel()
    cancel()
    host.run()

    assert told == [] and late == []


def test_what_one_of_them_raises_concerns_nobody_else(
    host: Host, events: Subscriptions, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: NodeEvent) -> None:
        raise RuntimeError("I do not care")

    events.subscribe(fail)
    told = told_of(events)

    host.write("a", UP)
    host.write("a", DOWN)
    host.run()

    assert told == [("up", "a~1"), ("down", "a~1")]
    assert "a~1" in caplog.text and "I do not care" in caplog.text


def test_what_a_subscriber_causes_is_told_after_what_is_being_told(host: Host, events: Subscriptions) -> None:
    def react(event: NodeEvent) -> None:
        if event.node == "a":
            host.write("b", UP)

    events.subscribe(react)
    told = told_of(events)

    host.write("a", UP)
    host.write("c", UP)
    host.run()

    assert [identity for _, identity in told] == ["a~1", "c~1", "b~1"]


def test_ten_thousand_subscriptions_leave_nothing_behind(host: Host, events: Subscriptions) -> None:
    def once() -> None:
        events.subscribe(lambda event: None, ("down",), "a")()
        events.subscribe(lambda event: None)()
        host.run()

    once()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(10_000):
        once()
    gc.collect()

    assert len(events) == 0 and events._subscribers == {}
    # Other threads of this process come and go; one block for each subscription would be ten thousand.
    assert sys.getallocatedblocks() - before < 5_000


def test_a_channel_that_there_is_not_is_refused(events: Subscriptions) -> None:
    with pytest.raises(ConfigError, match="control, calls"):
        events.subscribe(print, channel="smoke")


async def test_a_channel_is_up_with_its_first_connection_and_down_with_its_last() -> None:
    async with nodes("a", "b", keep_alive_s=0.0, load_period_s=1e9) as (a, b):
        told: list[NodeEvent] = []
        a.on_up("b", told.append, channel="calls")
        a.on_down("b", told.append, channel="calls")
        await until(lambda: told)

        a.tell(b, 1)
        await until(lambda: b.told)
        b.tell(a, 2)
        await until(lambda: a.told and len(told) == 2)
        for connection in list(a.peer(b).open):
            connection.abort(ConnectionResetError("cut"))
        await until(lambda: len(told) == 3)

        assert [(event.kind, event.channel, event.why) for event in told] == [
            ("down", "calls", "no connection of it is open"),
            ("up", "calls", ""),
            ("down", "calls", "its last connection closed"),
        ]


@pytest.mark.parametrize("kind", [*OVERLAYS, "ring:Ring"])
async def test_over_every_overlay_two_observers_of_a_leave_see_the_same(kind: str) -> None:
    load()  # by its path the ring is importable now
    async with overlay("a", "b", "c", overlay=kind, load_period_s=0.05) as (a, b, c):
        seen: list[list[str]] = [[], []]
        for told, node in zip(seen, (a, b), strict=True):
            node.on_up(None, lambda event, told=told: told.append(f"{event.kind} {event.id}"))
            node.on_down(None, lambda event, told=told: told.append(f"{event.kind} {event.id}"))

        await c.close()
        await until(lambda: all(seen))
        await asyncio.sleep(0)

        assert seen == [["down c~1"], ["down c~1"]]
