"""Tests of making connections: within a deadline, and leaving nothing behind when they fail."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from partisan_actors.errors import AuthenticationError, NotYetConnected
from partisan_actors.ids import NodeId
from partisan_actors.node import membership as membership_module
from partisan_actors.node.dialling import Dialling
from partisan_actors.node.router import Peer
from partisan_actors.transport.memory import MemoryNetwork, MemoryTransport
from partisan_actors.wire.channels import CALLS, CONTROL
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from tests.nodes import TestNode, config_of, nodes, until


class Mute(asyncio.BufferedProtocol):
    """Takes connections and says nothing."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Mute.count += 1

    def get_buffer(self, sizehint: int) -> bytearray:
        return bytearray(1000)

    def buffer_updated(self, count: int) -> None: ...

    def connection_lost(self, error: BaseException | None) -> None: ...


async def mute_listener(network: MemoryNetwork) -> str:
    """An address at which somebody accepts and never answers."""
    return await MemoryTransport(asyncio.get_running_loop(), network).listen("mute:1", Mute)


async def test_both_ends_of_an_open_connection_know_each_other() -> None:
    async with nodes("a", "b") as (a, b):
        connection = await a.dialling.open(b.address, CALLS, 0, b.me)

        assert connection.is_open and connection.peer is a.peer(b)
        await until(lambda: b.peer(a).is_connected)


async def test_who_does_not_answer_is_given_up_in_time_and_nothing_is_left() -> None:
    network = MemoryNetwork()
    address = await mute_listener(network)
    async with nodes("a", network=network, dial_timeout_s=0.02) as (a,):
        with pytest.raises(TimeoutError, match=r"no answer within 0.02 s"):
            await a.dialling.open(address, CONTROL, 0, None)

        await until(lambda: a.dialling.connection_count == 0)


async def test_calls_go_on_while_dials_of_others_are_not_answered() -> None:
    network = MemoryNetwork()
    address = await mute_listener(network)
    async with nodes("a", "b", network=network, dial_timeout_s=1000.0, routing="direct") as (a, b):
        silent = [NodeId(f"silent-{number}", 1) for number in range(8)]
        Mute.count = 0
        for node in silent:
            a.addresses.learn(node, [address])
            a.router.peer(node).send(pack([Kind.TELL, b"nobody", "method", 1]))
        await until(lambda: Mute.count == len(silent), "every dial to be under way")

        answers = []
        for number in range(1, 201):
            answers.append(a.ask(b, number))
            await until(lambda: b.asked)
            b.answer_all()
        await until(lambda: all(answer.done() for answer in answers))

        assert [answer.value for answer in answers] == list(range(1, 201))
        assert all(a.router.peer(node).waiting for node in silent), "nothing has ended those dials"
        for node in silent:  # nor need they end before the test does
            a.router.mark_down(node, "said the test")


async def test_a_dial_that_is_cancelled_leaves_nothing() -> None:
    network = MemoryNetwork()
    address = await mute_listener(network)
    async with nodes("a", network=network) as (a,):
        dial = asyncio.create_task(a.dialling.open(address, CONTROL, 0, None))
        await until(lambda: a.dialling.connection_count == 1)

        dial.cancel()
        await asyncio.wait([dial])

        await until(lambda: a.dialling.connection_count == 0)


async def test_where_nobody_listens_the_dial_is_refused() -> None:
    async with nodes("a") as (a,):
        with pytest.raises(ConnectionRefusedError):
            await a.dialling.open("nobody:1", CONTROL, 0, None)
        with pytest.raises(NotYetConnected, match="nobody listens there"):
            await a.connect("nobody:1")

        assert a.dialling.connection_count == 0


async def test_a_node_of_another_cookie_is_told_why_it_is_refused_and_counted() -> None:
    network = MemoryNetwork()
    async with nodes("a", network=network) as (a,), nodes("b", network=network, cookie=b"another cookie") as (b,):
        with pytest.raises(AuthenticationError, match="cookies differ"):
            await a.connect(b.address)

        await until(lambda: a.dialling.connection_count == b.dialling.connection_count == 0)
        assert b.refused_connections == 1 and a.refused_connections == 0


async def test_another_life_at_the_address_is_not_taken_for_the_one_that_was_meant() -> None:
    async with nodes("a", "b") as (a, b):
        with pytest.raises(AuthenticationError, match=r"b~1"):
            await a.dialling.open(b.address, CONTROL, 0, NodeId("b", 99))


async def test_a_node_does_not_connect_to_itself() -> None:
    async with nodes("a") as (a,):
        with pytest.raises(AuthenticationError, match="itself"):
            await a.connect(a.address)

        await until(lambda: a.dialling.connection_count == 0)


async def test_close_writes_what_waits_and_ends_every_connection() -> None:
    async with nodes("a", "b") as (a, b):
        a.tell(b, 1)
        await until(lambda: b.told)
        a.tell(b, 2)

        await a.dialling.close()

        await until(lambda: a.dialling.connection_count == 0)
        await until(lambda: b.told == [1, 2])


async def test_a_node_whose_contact_does_not_answer_does_not_start_and_leaves_nothing() -> None:
    network = MemoryNetwork()
    node = TestNode(config_of("a"), network)

    with pytest.raises(NotYetConnected):
        await node.start(["nobody:1"])

    assert network.listening == {} and node.dialling.connection_count == 0


async def test_the_first_contact_that_answers_is_enough() -> None:
    network = MemoryNetwork()
    async with nodes("a", network=network) as (a,):
        b = TestNode(config_of("b"), network)

        await b.start(["nobody:1", a.address])

        await until(lambda: len(a.directory.live()) == len(b.directory.live()) == 2)
        await b.close()


async def test_each_connection_has_nonces_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    make = Dialling._make
    monkeypatch.setattr(Dialling, "_make", lambda self, side: seen.append(side.nonce) or make(self, side))
    async with nodes("a", "b") as (a, b):
        await a.dialling.open(b.address, CONTROL, 0, None)
        await a.dialling.open(b.address, CALLS, 0, None)

    assert len(seen) == len(set(seen)) == 4


async def test_a_loop_that_was_stalled_does_not_take_what_it_has_not_read_for_no_answer() -> None:
    async with nodes("a", "b", dial_timeout_s=0.2) as (a, b):
        a.loop.call_soon(time.sleep, 0.5)  # longer than the time-out: the answer waits to be read meanwhile

        connection = await a.dialling.open(b.address, CONTROL, 0, b.me)

        assert connection.is_open


async def test_where_a_connection_took_long_the_next_one_may_take_longer_within_a_bound() -> None:
    network = MemoryNetwork(delay_s=lambda: 0.2)
    address = await mute_listener(network)
    async with nodes("a", network=network, dial_timeout_s=0.02) as (a,), nodes("b", network=network) as (b,):
        with pytest.raises(TimeoutError, match=r"no answer within 0\.02 s"):
            await a.dialling.open(address, CONTROL, 0, None)
        await a.dialling.open(b.address, CONTROL, 0, b.me, answer_s=60.0)

        with pytest.raises(TimeoutError, match=r"no answer within 0\.24 s"):
            await a.dialling.open(address, CONTROL, 0, None)


async def test_a_contact_that_is_slow_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership_module, "JOIN_ANSWER_S", 0.02)
    monkeypatch.setattr(membership_module, "JOIN_AGAIN_S", 0.01)
    network = MemoryNetwork()
    address = await mute_listener(network)
    node = TestNode(config_of("b"), network)
    before = Mute.count
    joining = asyncio.create_task(node.start([address]))
    await until(lambda: Mute.count >= before + 3, "it is asked again")
    assert not joining.done()

    async with nodes("a", network=network) as (a,):
        network.listening[address] = network.listening[a.address]
        await joining

        await until(lambda: len(a.directory.live()) == 2)
        await node.close()


async def test_a_contact_that_is_slow_gets_twice_as_long_each_time_within_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(membership_module, "JOIN_ANSWER_S", 0.01)
    monkeypatch.setattr(membership_module, "JOIN_ANSWER_S_MAX", 0.03)
    monkeypatch.setattr(membership_module, "JOIN_AGAIN_S", 0.001)
    network = MemoryNetwork()
    node = TestNode(config_of("b"), network)
    asked: list[float | None] = []
    connect = node.connect

    async def noted(address: str, expected: NodeId | None = None, answer_s: float | None = None) -> Peer:
        asked.append(answer_s)
        return await connect(address, expected, answer_s)

    node.connect = noted  # type: ignore[method-assign]  # to see what it is asked
    joining = asyncio.create_task(node.start([await mute_listener(network)]))
    await until(lambda: len(asked) >= 4)
    joining.cancel()

    assert asked[:4] == [0.01, 0.02, 0.03, 0.03]


async def test_a_contact_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership_module, "JOIN_ANSWER_S", 0.02)
    monkeypatch.setattr(membership_module, "JOIN_S", 0.01)
    network = MemoryNetwork()
    address = await mute_listener(network)
    node = TestNode(config_of("b"), network)

    with pytest.raises(NotYetConnected, match="no answer"):
        await node.start([address])


async def test_bytes_of_connections_that_are_gone_still_count() -> None:
    async with nodes("a", "b") as (a, b):
        await a.dialling.open(b.address, CONTROL, 0, b.me)
        await until(lambda: b.peer(a).is_connected)
        before = b.dialling.bytes_in
        for connection in list(b.peer(a).open):
            connection.abort(ConnectionResetError("cut"))
        await until(lambda: b.dialling.connection_count == 0)

        assert b.dialling.bytes_in >= before > 0


async def test_an_observer_and_a_member_are_never_one() -> None:
    async with nodes("a", "b") as (a, b):
        await b.dialling.open(a.address, CONTROL, 0, a.me)
        pretender = TestNode(config_of("b", bind="c:1", observer=True), MemoryNetwork())
        pretender.dialling._transport = b.dialling._transport

        with pytest.raises(AuthenticationError, match="one is an observer and the other is not"):
            await pretender.dialling.open(a.address, CALLS, 0, a.me)

        assert not a.peer(b).is_observer and a.peer(b).is_connected
        await pretender.close()
