"""Tests of failure detection on nodes: suspicions are public and refuted, and silence ends in a death told to all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from partisan_actors.node.config import NodeConfig
from partisan_actors.node.detection import swim_options
from partisan_actors.node.directory import DOWN, SUSPECT, UP
from partisan_actors.protocols.detector.swim_messages import Ack, Nack, Ping
from partisan_actors.wire.codec import decode_message
from partisan_actors.wire.frames import Kind
from tests.nodes import TestNode, overlay, until

# A timer that is late by a quarter of the period is a stall, after which a node judges nobody.
QUICK = {"keep_alive_s": 0.2, "suspicion_s": 1.0, "load_period_s": 0.02}


def freeze(node: Any) -> Callable[[], None]:
    """Let a node answer nothing and tell nothing, with its connections open, as a stopped process; how to thaw it."""
    held: list[tuple[int, Any, list[Any], Any]] = []
    fired: list[str] = []
    dispatch, fire, publish = list(node.dispatch), node.driver._fire, node._presence.publish

    def hold(kind: int) -> Callable[..., None]:
        return lambda peer, message, buffers=None: held.append((kind, peer, message, buffers))

    for kind in range(len(dispatch)):
        node.dispatch[kind] = hold(kind)
    node.driver._fire = lambda name, due: fired.append(name)
    node._presence.publish = lambda *args, **kwargs: None

    def thaw() -> None:
        node.dispatch[:] = dispatch
        node.driver._fire = fire
        node._presence.publish = publish
        for name in fired:
            fire(name, float("inf"))
        for kind, peer, message, buffers in held:
            dispatch[kind](peer, message, buffers)

    return thaw


def states(node: TestNode, of: TestNode) -> list[int]:
    """The states that `node` sees the record of another one take, from now on."""
    seen: list[int] = []
    before = node.on_entry["node/"]

    def look(key: str, stamp: tuple[int, ...], value: Any) -> None:
        if key == f"node/{of.me.name}" and (not seen or seen[-1] != stamp[2]):
            seen.append(stamp[2])
        before(key, stamp, value)

    node.on_entry["node/"] = look
    return seen


def test_the_settings_of_a_node_are_those_of_its_detector() -> None:
    options = swim_options(NodeConfig(keep_alive_s=2.0, suspicion_s=9.0))

    assert (options.period_s, options.timeout_s) == (2.0, 1.0)
    assert options.suspicion_s(100) == (9.0, 18.0)


async def test_a_node_that_falls_silent_is_suspected_by_name_and_then_down_for_everybody() -> None:
    async with overlay("a", "b", "c", "d", **QUICK) as made:
        *others, victim = made
        seen = [states(node, victim) for node in others]
        suspected_by: set[str] = set()
        others[0].directory.on_change.append(lambda record: suspected_by.update(record.suspected_by))

        freeze(victim)

        await until(lambda: all(DOWN in each for each in seen))
        for each in seen:
            assert [state for state in each if state != UP] == [SUSPECT, DOWN]
        assert suspected_by and suspected_by <= {"a", "b", "c"}
        assert not any(node.directory.is_up(victim.me) for node in others)
        assert all(node.directory.is_up(other.me) for node in others for other in others)


async def test_a_suspect_that_comes_to_itself_refutes_and_nobody_goes_down() -> None:
    async with overlay("a", "b", "c", **{**QUICK, "keep_alive_s": 0.5, "suspicion_s": 30.0}) as made:
        *others, slow = made
        downs: list[str] = []
        for node in made:
            node.directory.on_down.append(lambda record, why: downs.append(record.node.name))
        thaw = freeze(slow)
        await until(lambda: all(node.directory.records["c"].state == SUSPECT for node in others))
        assert all(node.directory.is_up(slow.me) for node in others)
        assert all(node.peer(slow).down is None and node.peer(slow).is_connected for node in others)

        thaw()

        await until(lambda: all(node.directory.records["c"].state == UP for node in others))
        await until(lambda: not any(node.detection.swim.opinions.suspects for node in made))
        assert downs == [] and slow.detection.swim.stalls > 0
        assert slow.detection.swim.incarnation > 0


async def test_whoever_finds_the_same_says_so_and_the_suspicion_ends_sooner() -> None:
    settings = {**QUICK, "keep_alive_s": 0.5, "suspicion_s": 30.0, "overlay": "full_mesh"}
    async with overlay("a", "b", "c", "d", "e", "f", **settings) as made:
        *others, victim = made
        freeze(victim)

        await until(lambda: len(others[0].directory.records["f"].suspected_by) >= 4)

        # Without confirmations it would take 60 s.
        def patience_s() -> list[float]:
            suspicions = [node.detection.swim.opinions.suspicion(victim.me) for node in others]
            now = asyncio.get_running_loop().time()
            return [suspicion.ends_at - now for suspicion in suspicions if suspicion is not None]

        await until(lambda: len(patience_s()) >= 4 and max(patience_s()) <= 30.0)


async def test_a_connection_that_carries_nothing_brings_nobody_under_suspicion_while_others_get_through() -> None:
    async with overlay("a", "b", "c", "d", **QUICK) as made:
        a, b, _, _ = made
        seen = states(a, b)
        lost = b.dispatch[Kind.CONTROL]

        # What a sends b over their connection goes nowhere, but a's helpers get answers.
        def deaf(peer: Any, message: list[Any], buffers: Any = None) -> None:
            decoded = decode_message(message[1], b.addresses)
            if peer.node != a.me or not isinstance(decoded, Ping):
                lost(peer, message, buffers)

        b.dispatch[Kind.CONTROL] = deaf
        b.dispatch[Kind.PING] = lambda peer, message, buffers=None: None
        turns = a.detection.swim.turns

        await until(lambda: a.detection.swim.turns > turns + 15)

        assert SUSPECT not in seen and DOWN not in seen


async def test_a_node_that_sends_no_pings_works_and_sends_none() -> None:
    async with overlay("a", "b", "c", **{**QUICK, "keep_alive_s": 0.0}) as made:
        kinds: list[int] = []
        for node in made:
            for kind in (Kind.PING, Kind.CONTROL):
                taken = node.dispatch[kind]

                def look(peer: Any, message: list[Any], buffers: Any = None, taken: Any = taken) -> None:
                    is_control = message[0] == Kind.CONTROL
                    decoded = decode_message(message[1], made[0].addresses) if is_control else None
                    if not is_control or isinstance(decoded, Ping | Ack | Nack):
                        kinds.append(message[0])
                    taken(peer, message, buffers)

                node.dispatch[kind] = look
        made[0].tell(made[1], 1)
        sweeps: list[int] = []
        made[0].on_sweep.append(lambda: sweeps.append(1))

        await until(lambda: len(sweeps) > 20 and made[1].told == [1])

        assert kinds == []
        assert all(node.directory.is_up(other.me) for node in made for other in made)


@pytest.mark.parametrize("count", [2, 6])
async def test_each_node_pings_at_most_one_neighbour_in_a_period(count: int) -> None:
    names = [f"n{number}" for number in range(count)]
    async with overlay(*names, overlay="full_mesh", **{**QUICK, "load_period_s": 1e9}) as made:
        swim = made[0].detection.swim
        pinged: list[Any] = []
        timer_fired = swim.timer_fired

        def look(name: str, now: float) -> Any:  # and not at what it is asked to ping for others
            effects = timer_fired(name, now)
            pinged.extend(effect.peer for effect in effects if isinstance(getattr(effect, "message", None), Ping))
            return effects

        swim.timer_fired = look  # type: ignore[method-assign]  # a spy
        turns = swim.turns

        # Whose traffic was heard of is spared, and a late turn pings nobody: it may be a while until all have had one.
        await until(lambda: swim.turns >= turns + 3 * count and len(set(pinged)) == count - 1)

        assert len(pinged) <= swim.turns - turns
