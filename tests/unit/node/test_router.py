"""Tests of the router: one connection for each lane, dialled when it is needed, and what waits for it."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from partisan_actors.errors import NodeDown, NoRoute, Overloaded, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node import router as router_module
from partisan_actors.node.router import DirectOnly, Peer, Router, Transitive, lane_of
from partisan_actors.transport.memory import MemoryNetwork, MemoryTransport
from partisan_actors.wire.channels import BROADCAST, BULK, CALLS, CONTROL, check_channels
from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.frames import Kind
from tests.nodes import Answer, TestNode, nodes, quiet, until

ME, A, B = NodeId("me", 1), NodeId("a", 1), NodeId("b", 1)
FOR_EVER = 1e9
BY_HAND = {"keep_alive_s": FOR_EVER, "load_period_s": FOR_EVER}


class Mute(asyncio.BufferedProtocol):
    """Takes connections and says nothing."""

    def get_buffer(self, sizehint: int) -> bytearray:
        return bytearray(1000)

    def buffer_updated(self, count: int) -> None: ...

    def connection_lost(self, error: BaseException | None) -> None: ...


class Line:
    """Stands for a connection: keeps what is sent on it."""

    def __init__(self, channel: str = CALLS, lane: int = 0) -> None:
        self.handshake = self
        self.channel = channel
        self.lane = lane
        self.sent: list[Any] = []
        self.is_closed = False
        self.is_paused = False
        self.was_aborted = False

    def send(self, message: bytes) -> None:
        self.sent.append(unpack(message))

    def send_large(self, message: bytes, buffers: Any) -> None:
        self.sent.append((unpack(message), list(buffers)))

    def send_waiting(self, waiting: Any) -> None:
        for message, buffers in waiting:
            self.send(message) if buffers is None else self.send_large(message, buffers)

    def close(self, reason: BaseException | None = None) -> None:
        self.is_closed = True

    def abort(self, reason: BaseException) -> None:
        self.was_aborted = True


class Host:
    """Stands for a node: writes down what the router asks for."""

    def __init__(self, routing: str = "auto", lanes: dict[str, int] | None = None) -> None:
        self.me = ME
        self.loop = asyncio.get_running_loop()
        self.lanes = lanes or {CONTROL: 1, CALLS: 1, BULK: 1}
        self.routing = routing
        self.dispatch = [lambda peer, message, buffers=None: self.delivered.append((message, buffers))] * Kind.COUNT
        self.delivered: list[Any] = []
        self.dialled: list[tuple[NodeId, str, int]] = []
        self.relayed: list[tuple[NodeId, Any]] = []
        self.was_connected: list[NodeId] = []
        self.down: list[NodeId] = []
        self.diallable = {A, B}
        self.near: list[NodeId] = []
        self.can_relay = True

    def dial(self, peer: Peer, channel: str, index: int) -> None:
        self.dialled.append((peer.node, channel, index))

    def can_dial(self, node: NodeId) -> bool:
        return node in self.diallable

    def neighbours(self) -> list[NodeId]:
        return self.near

    def relay(self, destination: NodeId, message: bytes, buffers: Any, channel: str) -> None:
        if not self.can_relay:
            raise NoRoute(str(destination), "no neighbour")
        self.relayed.append((destination, unpack(message)))

    def connected(self, peer: Peer) -> None:
        self.was_connected.append(peer.node)

    def lane_opened(self, peer: Peer, connection: Any) -> None:
        """Nothing is to be sent first."""

    def forgotten(self, node: NodeId) -> None: ...

    def went_down(self, node: NodeId) -> None:
        self.down.append(node)


def setting(routing: str = "auto", **lanes: int) -> tuple[Host, Router, Peer]:
    """A router, its host, and what it knows of node a."""
    host = Host(routing, {CONTROL: 1, CALLS: 1, BULK: 1, **lanes})
    router = Router(host)  # type: ignore[arg-type]  # what this test needs of one
    return host, router, router.peer(A)


def line_to(router: Router, peer: Peer, channel: str = CALLS, lane: int = 0) -> Any:
    """A connection to that peer opens."""
    line: Any = Line(channel, lane)
    router.opened(peer, line)
    return line


def tell(number: int) -> bytes:
    return pack([Kind.TELL, number])


async def test_what_is_sent_while_a_lane_is_dialled_waits_and_leaves_in_order() -> None:
    host, router, peer = setting()

    for number in range(3):
        peer.send(tell(number))
    peer.send_large(tell(3), [b"x"])
    assert host.dialled == [(A, CALLS, 0)]
    line = line_to(router, peer)
    peer.send(tell(4))

    assert line.sent == [[Kind.TELL, 0], [Kind.TELL, 1], [Kind.TELL, 2], ([Kind.TELL, 3], [b"x"]), [Kind.TELL, 4]]
    assert not peer.waiting and host.was_connected == [A]


async def test_of_two_connections_for_one_lane_the_first_is_sent_on() -> None:
    _, router, peer = setting()
    first = line_to(router, peer)
    second = line_to(router, peer)

    peer.send(tell(1))

    assert first.sent and not second.sent and peer.open == [first, second]


async def test_when_the_connection_in_use_breaks_the_other_one_is_used() -> None:
    host, router, peer = setting()
    first = line_to(router, peer)
    second = line_to(router, peer)

    assert router.closed(peer, first)
    peer.send(tell(1))

    assert second.sent == [[Kind.TELL, 1]] and peer.calls is second
    assert host.dialled == []


async def test_it_knows_to_whom_there_is_a_connection() -> None:
    _, router, peer = setting()
    assert not router.open_peers
    first, second = line_to(router, peer), line_to(router, peer)

    router.closed(peer, first)
    assert list(router.open_peers) == [peer]

    router.closed(peer, second)
    assert not router.open_peers


async def test_a_connection_that_takes_the_place_of_a_broken_one_is_what_plain_calls_look_at() -> None:
    _, router, peer = setting()
    first, second = line_to(router, peer), Line()
    assert peer.direct is first

    router.replaced(peer, first, second)  # type: ignore[arg-type]  # what this test needs of one

    assert peer.calls is peer.direct is second and peer.open == [second]


async def test_when_the_last_connection_breaks_the_next_message_dials() -> None:
    host, router, peer = setting()
    line = line_to(router, peer)

    assert router.closed(peer, line)
    assert not peer.is_connected and peer.calls is None
    peer.send(tell(1))

    assert host.dialled == [(A, CALLS, 0)]


async def test_a_pair_always_uses_the_same_lane() -> None:
    _, router, peer = setting(calls=4)
    lines = [line_to(router, peer, CALLS, lane) for lane in range(4)]

    for affinity in (6, 6, 3):
        peer.send(tell(affinity), CALLS, affinity)

    assert [len(line.sent) for line in lines] == [0, 0, 2, 1]
    assert peer.calls is None, "there is no one lane of calls"


async def test_channels_are_dialled_each_for_itself() -> None:
    host, _, peer = setting()

    peer.send(tell(1), CONTROL)
    peer.send(tell(2), BULK)

    assert host.dialled == [(A, CONTROL, 0), (A, BULK, 0)]


async def test_what_cannot_be_dialled_is_relayed_and_so_is_what_follows_for_a_while() -> None:
    host, router, peer = setting()
    peer.send(tell(1))
    peer.send(tell(2))

    router.dial_failed(peer, CALLS, 0, ConnectionRefusedError("nobody listens"))
    peer.send(tell(3))

    assert host.relayed == [(A, [Kind.TELL, number]) for number in (1, 2, 3)]
    assert len(host.dialled) == 1


async def test_broadcasts_whose_lane_cannot_be_opened_go_on_another_one_and_are_never_relayed() -> None:
    host, router, a = setting(broadcast=1, control=1)
    control = line_to(router, a, CONTROL)
    a.send(tell(1), BROADCAST)
    router.dial_failed(a, BROADCAST, 0, ConnectionRefusedError("nobody"))

    a.send(tell(2), BROADCAST)
    router.closed(a, control)
    a.send(tell(3), BROADCAST)

    assert control.sent == [unpack(tell(1)), unpack(tell(2))]
    assert host.relayed == [], "the protocols repair what is lost"


async def test_a_connection_that_opens_ends_the_relaying() -> None:
    host, router, peer = setting()
    router.dial_failed(peer, CALLS, 0, OSError())
    line = line_to(router, peer)

    peer.send(tell(1))

    assert line.sent == [[Kind.TELL, 1]] and host.relayed == []


async def test_with_direct_routing_what_cannot_be_dialled_fails_everything_that_is_waited_for() -> None:
    host, router, peer = setting("direct")
    waiting = peer.pending[1] = Answer()
    peer.send(tell(1))

    router.dial_failed(peer, CALLS, 0, ConnectionRefusedError("nobody listens"))

    assert isinstance(waiting.error, NoRoute) and "nobody listens" in str(waiting.error)
    assert host.relayed == [] and not peer.pending


async def test_with_direct_routing_a_node_without_an_address_cannot_be_reached() -> None:
    host, _, peer = setting("direct")
    host.diallable.clear()

    with pytest.raises(NoRoute, match="no address"):
        peer.send(tell(1))


async def test_what_must_go_directly_is_dialled_and_never_relayed_and_whoever_asked_is_told() -> None:
    host, router, peer = setting()
    asked, other = Answer(), Answer()
    peer.pending.update({1: asked, 2: other})
    router.send_bound(peer, DirectOnly(pack([Kind.CALL, 1])), None, CALLS, 0)
    peer.send(pack([Kind.CALL, 2]))
    router.send_bound(peer, DirectOnly(tell(3)), None, CALLS, 0)

    router.dial_failed(peer, CALLS, 0, ConnectionRefusedError("nobody listens"))

    assert isinstance(asked.error, NoRoute) and "nobody listens" in str(asked.error)
    assert other.error is None and host.relayed == [(A, [Kind.CALL, 2])]
    router.send_bound(peer, DirectOnly(tell(4)), None, CALLS, 0)
    assert host.dialled == [(A, CALLS, 0)] * 2
    line = line_to(router, peer)
    router.send_bound(peer, DirectOnly(tell(5)), None, CALLS, 0)
    assert line.sent == [[Kind.TELL, 4], [Kind.TELL, 5]]


async def test_what_must_go_directly_is_refused_where_nothing_can_be_dialled_or_only_the_overlay_dials() -> None:
    host, router, peer = setting()
    host.diallable.clear()
    with pytest.raises(NoRoute, match="no address"):
        router.send_bound(peer, DirectOnly(tell(1)), None, CALLS, 0)
    relaying, router, peer = setting("relay")
    with pytest.raises(NoRoute, match="no address"):
        router.send_bound(peer, DirectOnly(tell(1)), None, CALLS, 0)

    assert host.relayed == relaying.relayed == []
    assert host.dialled == relaying.dialled == []


async def test_what_others_may_pass_on_is_relayed_under_direct_routing_when_it_cannot_be_dialled() -> None:
    host, router, peer = setting("direct")
    router.send_bound(peer, Transitive(tell(1)), None, CALLS, 0)
    assert host.dialled == [(A, CALLS, 0)]

    router.dial_failed(peer, CALLS, 0, ConnectionRefusedError("nobody listens"))
    host.diallable.clear()
    router.send_bound(peer, Transitive(tell(2)), [b"x"], CALLS, 0)

    assert host.relayed == [(A, [Kind.TELL, 1]), (A, [Kind.TELL, 2])]


async def test_with_relay_routing_only_neighbours_are_dialled() -> None:
    host, router, peer = setting("relay")
    host.near = [B]

    peer.send(tell(1))
    router.peer(B).send(tell(2))

    assert host.relayed == [(A, [Kind.TELL, 1])]
    assert host.dialled == [(B, CALLS, 0)]


async def test_a_node_without_an_address_is_relayed_to() -> None:
    host, _, peer = setting()
    host.diallable.clear()

    peer.send(tell(1))

    assert host.relayed == [(A, [Kind.TELL, 1])] and host.dialled == []


async def test_when_nothing_can_be_relayed_either_who_waits_is_told() -> None:
    host, router, peer = setting()
    host.can_relay = False
    waiting = peer.pending[1] = Answer()
    peer.send(tell(1))

    router.dial_failed(peer, CALLS, 0, OSError())

    assert isinstance(waiting.error, NoRoute)
    with pytest.raises(NoRoute):
        peer.send(tell(2))


async def test_a_peer_that_is_down_refuses_everything_and_fails_what_waits() -> None:
    host, router, peer = setting()
    line = line_to(router, peer)
    waiting = peer.pending[1] = Answer()
    peer.send(tell(1), BULK)

    router.mark_down(A, "it does not answer")
    router.closed(peer, line)

    assert line.is_closed and isinstance(waiting.error, NodeDown) and host.down == [A]
    assert not peer.waiting and host.relayed == []
    with pytest.raises(NodeDown, match="it does not answer"):
        peer.send(tell(2))


async def test_a_peer_that_is_down_is_not_sent_to_while_its_connection_still_closes() -> None:
    """One that does not read keeps a connection from closing for as long as something waits to be written."""
    _, router, peer = setting()
    lines = [line_to(router, peer), line_to(router, peer, CONTROL)]
    lines[0].is_paused = True

    router.mark_down(A, "it does not answer")

    assert lines[0].was_aborted and lines[1].is_closed and not lines[1].was_aborted
    assert not peer.is_connected and peer.calls is None
    with pytest.raises(NodeDown):
        peer.send(tell(1))
    assert lines[0].sent == []


async def test_another_life_of_the_node_is_another_peer() -> None:
    _, router, peer = setting()
    router.mark_down(A, "gone")

    assert router.peer(NodeId("a", 2)).down is None and router.peer(NodeId("a", 2)) is not peer


async def test_too_much_that_waits_for_a_dial_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router_module, "WAITING_BYTES_MAX", 10_000)
    _, _, peer = setting()
    message = pack([Kind.TELL, b"x" * 1000])
    # The queue is measured at every 64th message.
    for _ in range(64):
        peer.send(message)

    with pytest.raises(Overloaded) as error:
        peer.send(message)

    assert error.value.limit == 10_000


async def test_what_is_sent_to_this_node_itself_is_handed_over_in_a_later_turn_and_copied() -> None:
    host, router, _ = setting()
    data = bytearray(b"before")

    router.me.send(tell(1))
    router.me.send_large(tell(2), [data])
    assert host.delivered == []
    await asyncio.sleep(0)
    data[:] = b"after!"

    assert host.delivered == [([Kind.TELL, 1], None), ([Kind.TELL, 2], [b"before"])]


async def test_a_held_connection_is_dialled_once() -> None:
    host, router, peer = setting()

    assert router.connect(peer) and router.connect(peer)
    assert host.dialled == [(A, CONTROL, 0)]
    line_to(router, peer, CONTROL)
    assert router.connect(peer)
    assert len(host.dialled) == 1


async def test_this_node_is_not_dialled() -> None:
    _, router, _ = setting()

    assert not router.connect(router.me)


async def test_on_a_connection_that_is_let_go_nothing_is_sent_and_the_lane_is_dialled_when_it_is_gone() -> None:
    host, router, peer = setting()
    line = line_to(router, peer)

    router.let_go(peer, line, patience_ends=1.0)
    peer.send(tell(1))
    assert line.sent == [] and host.dialled == []
    assert not router.closed(peer, line), "it did not break"

    assert host.dialled == [(A, CALLS, 0)]
    assert line_to(router, peer).sent == [[Kind.TELL, 1]]


async def test_a_connection_that_stays_after_all_sends_what_waited() -> None:
    host, router, peer = setting()
    line = line_to(router, peer)
    router.let_go(peer, line, patience_ends=1.0)
    peer.send(tell(1))

    router.keep(peer, line)
    peer.send(tell(2))

    assert line.sent == [[Kind.TELL, 1], [Kind.TELL, 2]]
    assert host.dialled == [] and host.was_connected == [A, A]


async def test_when_nothing_waits_a_connection_that_was_let_go_is_not_missed() -> None:
    host, router, peer = setting()
    line = line_to(router, peer)
    router.let_go(peer, line, patience_ends=1.0)

    router.closed(peer, line)

    assert host.dialled == [] and not peer.waiting


async def test_a_peer_that_came_to_be_held_meanwhile_is_dialled_anew() -> None:
    host, router, peer = setting()
    line = line_to(router, peer, CONTROL)
    router.let_go(peer, line, patience_ends=1.0)
    peer.is_held = True
    assert router.connect(peer) and host.dialled == []

    router.closed(peer, line)

    assert host.dialled == [(A, CONTROL, 0)]


async def test_a_lane_uses_no_other_connection_before_the_one_that_is_let_go_is_gone() -> None:
    _, router, peer = setting()
    line = line_to(router, peer)
    router.let_go(peer, line, patience_ends=1.0)
    peer.send(tell(1))

    another = line_to(router, peer)
    assert another.sent == []
    router.closed(peer, line)

    assert another.sent == [[Kind.TELL, 1]]
    assert lane_of(another) == (CALLS, 0)


async def test_two_nodes_that_dial_each_other_at_once_lose_nothing_and_keep_the_order() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        for number in range(50):
            a.tell(b, number)
            b.tell(a, number)

        await until(lambda: len(a.told) == len(b.told) == 50)

        assert a.told == b.told == list(range(50))


@pytest.mark.parametrize("seed", range(10))
async def test_however_they_were_dialled_there_is_one_connection_for_each_lane_in_the_end(seed: int) -> None:
    rng = random.Random(seed)
    channels = check_channels({CALLS: 4, "mine": 3})
    async with nodes("a", "b", **BY_HAND, channels=channels) as (a, b):
        sent: dict[tuple[str, str], list[int]] = {}
        for number in range(200):
            one, other = rng.sample((a, b), 2)
            channel = rng.choice((CALLS, "mine"))
            message = pack([Kind.TELL, b"actor", "method", [channel, number]])
            one.peer(other).send(message, channel, 7)
            sent.setdefault((other.me.name, channel), []).append(number)
            if rng.random() < 0.3:
                await quiet(rng.randint(1, 4))

        def lanes(node: TestNode, other: TestNode) -> list[tuple[str, int]]:
            return sorted(lane_of(each) for each in node.peer(other).open if each not in node.peer(other).leaving)

        expected = sorted([(CALLS, index) for index in range(4)] + [("mine", index) for index in range(3)])
        await until(lambda: lanes(a, b) == lanes(b, a) == expected, "each lane to have one connection")
        await until(lambda: len(a.told) + len(b.told) == 200)
        await until(lambda: a.dialling.connection_count == b.dialling.connection_count == 7)
        for node in (a, b):
            for channel in (CALLS, "mine"):
                assert [n for name, n in node.told if name == channel] == sent.get((node.me.name, channel), [])


async def test_when_a_channel_is_first_used_all_its_lanes_are_dialled_at_once() -> None:
    host, _, peer = setting(calls=5)

    peer.send(tell(1), CALLS, 3)

    assert sorted(host.dialled) == [(A, CALLS, index) for index in range(5)]
    peer.send(tell(2), CALLS, 4)
    assert len(host.dialled) == 5


async def test_a_dial_that_nobody_answers_holds_nobody_else_up() -> None:
    network = MemoryNetwork()
    await MemoryTransport(asyncio.get_running_loop(), network).listen("mute:1", Mute)
    async with nodes("a", "b", network=network, **BY_HAND) as (a, b):
        mute = NodeId("mute", 1)
        a.addresses.learn(mute, ["mute:1"])
        a.router.peer(mute).send(pack([Kind.TELL, b"actor", "method", 1]))
        await until(lambda: a.dialling.connection_count == 1)

        for number in range(100):
            answer = a.ask(b, number)
            await until(lambda: b.asked)
            b.answer_all()
            await until(answer.done)

        assert a.dialling.connection_count == 2 and not a.router.peer(mute).open


async def test_a_connection_that_breaks_fails_the_calls_in_flight_and_the_next_one_dials_anew() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        lost = a.ask(b, 1)
        await until(lambda: b.asked)

        b.peer(a).open[0].abort(ConnectionResetError("a cable was pulled"))
        await until(lost.done)
        assert isinstance(lost.error, PartisanError)

        b.asked.clear()
        answer = a.ask(b, 2)
        await until(lambda: b.asked)
        b.answer_all()
        await until(answer.done)
        assert answer.value == 2


async def test_calls_fail_when_the_connection_breaks_that_would_have_brought_their_answers() -> None:
    """Each node sends on the connection that it dialled itself; the one that breaks carries answers only."""
    async with nodes("a", "b", **BY_HAND) as (a, b):
        a.router.surplus = lambda peer, connection: None  # type: ignore[method-assign]  # it is not let go of yet
        a.tell(b, 1)
        b.tell(a, 1)
        await until(lambda: a.told and b.told and len(a.peer(b).open) == 2)
        if a.peer(b).calls.handshake.connection_id == b.peer(a).calls.handshake.connection_id:
            pytest.skip("both use the same one: nothing to see")
        lost = a.ask(b, 1)
        await until(lambda: b.asked)

        b.peer(a).calls.abort(ConnectionResetError("a cable was pulled"))
        await until(lost.done)

        assert isinstance(lost.error, PartisanError)
        await quiet()
