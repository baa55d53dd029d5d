"""Whatever arrives at the port, the worst that happens is that this connection closes: the node goes on, and counts."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

import partisan_actors as pa
from partisan_actors.ids import NodeId
from partisan_actors.node.cookie import read_cookie
from partisan_actors.wire.frames import (
    BATCH,
    CHUNK,
    FRAME_BYTES_MAX,
    HEADER,
    HELLO,
    HELLO_BYTES_MAX,
    HELLO_HEADER,
    LARGE,
    Kind,
)
from partisan_actors.wire.handshake import PROTOCOL_VERSION, Handshake, Identity
from tests import hostile
from tests.integration.on_loop import on_loop
from tests.integration.programs import wait_until

CLOSES_S = 100.0


@pytest.fixture(scope="module")
def victim() -> Iterator[pa.Session]:
    with pa.init(workers=1) as session:
        yield session


@pytest.fixture(autouse=True)
def _the_node_goes_on(victim: pa.Session) -> Iterator[None]:
    yield
    # Whoever was accepted before this one is among the strangers by now; when they are gone, what they did is counted.
    _Dialler(victim).shake_hands().close()
    wait_until(lambda: strangers(victim) == 0, "all strangers to be gone")

    @pa.actor
    class Witness:
        def work(self) -> str:
            return "well"

    witness = Witness.remote()
    assert pa.get(witness.work.remote(), timeout=30) == "well"
    pa.kill(witness)
    wait_until(lambda: sum(row["state"] == "up" for row in pa.nodes()) == 2, "both nodes to be up")


class Stranger:
    """A raw connection to the port of a node."""

    def __init__(self, session: pa.Session) -> None:
        host, _, port = session.address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=CLOSES_S)
        self.node = session.runtime.node
        self.is_open = False  # whether the handshake is done

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except ConnectionError:  # it closed already, as it should
            return

    def frame(self, kind: int, body: bytes, count: int | None = None) -> None:
        """One frame; a batch claims to hold one message unless `count` says otherwise."""
        head = len(body), kind, (kind == BATCH) if count is None else count
        self.send((HEADER.pack(*head, 0, 0, 0) if self.is_open else HELLO_HEADER.pack(*head)) + body)

    def receive_frame(self) -> bytes:
        layout = HEADER if self.is_open else HELLO_HEADER
        return self._exactly(layout.unpack(self._exactly(layout.size))[0])

    def rest(self) -> bytes:
        """Everything until the node closes the connection. Raises TimeoutError when it does not."""
        data = b""
        while True:
            try:
                part = self.socket.recv(65536)
            except ConnectionError:
                return data
            if not part:
                return data
            data += part

    def close(self) -> None:
        self.socket.close()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            assert part, "the node closed the connection"
            data += part
        return data


def counts(session: pa.Session) -> tuple[int, int]:
    node = session.runtime.node
    return on_loop(session, lambda: (node.refused_connections, node.broken_connections))


def strangers(session: pa.Session) -> int:
    """How many connections there are that no member of the cluster has proved to be its own."""
    dialling = session.runtime.node.dialling
    return on_loop(session, lambda: sum(each.peer is None or each.peer.is_observer for each in dialling.connections()))


def kinds(session: pa.Session) -> dict[str, int]:
    """How many refusals of each kind there were."""
    return {fact["kind"]: fact["count"] for fact in on_loop(session, session.runtime.node.refusals.facts)}


def assert_refused(session: pa.Session, stranger: Stranger, before: tuple[int, int]) -> bytes:
    said = stranger.rest()
    stranger.close()
    wait_until(lambda: counts(session) == (before[0] + 1, before[1]), "the refusal to be counted")
    return said


# ---- before the handshake --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_close_the_connection(victim: pa.Session, seed: int) -> None:
    before = counts(victim)
    stranger = Stranger(victim)

    stranger.send(random.Random(seed).randbytes(2000))

    assert_refused(victim, stranger, before)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        HELLO_HEADER.pack(0, HELLO, 0),
        HELLO_HEADER.pack(HELLO_BYTES_MAX + 1, HELLO, 0),
        HELLO_HEADER.pack(2**32 - 1, HELLO, 0),
        HELLO_HEADER.pack(10, BATCH, 1) + bytes(10),
        HELLO_HEADER.pack(10, 99, 0) + bytes(10),
        HELLO_HEADER.pack(1, HELLO, 0) + b"\xc1",
        HELLO_HEADER.pack(5, HELLO, 0) + b"\xdd\xff\xff\xff\xff",
    ],
    ids=["http", "tls", "empty", "long hello", "oversize", "batch first", "unknown kind", "not msgpack", "huge array"],
)
def test_what_is_no_handshake_closes_the_connection(victim: pa.Session, data: bytes) -> None:
    before = counts(victim)
    stranger = Stranger(victim)

    stranger.send(data)

    assert_refused(victim, stranger, before)


@pytest.mark.parametrize(
    "said",
    [
        {"type": "hello"},
        {"type": "hello", "magic": "partisan-actors"},
        {"type": "hello", "magic": "partisan-actors", "version": PROTOCOL_VERSION},
        {"type": "hello", "magic": "partisan-actors", "version": PROTOCOL_VERSION, "me": {"name": 5}},
        {"type": "proof", "proof": b"x" * 32},
        {"type": "welcome"},
        {"type": ["hello"]},
        ["hello"],
        None,
        {1: 2},
    ],
    ids=str,
)
def test_malformed_handshakes_close_the_connection(victim: pa.Session, said: Any) -> None:
    before = counts(victim)
    stranger = Stranger(victim)

    stranger.frame(HELLO, msgpack.packb(said))

    assert_refused(victim, stranger, before)


def test_half_a_handshake_is_closed_in_time(victim: pa.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counts(victim)
    monkeypatch.setattr(victim.runtime.node.dialling._half_open, "_within_s", 3.0)
    silent, half, slow = Stranger(victim), Stranger(victim), _Dialler(victim)

    half.send(HELLO_HEADER.pack(100, HELLO, 0) + b"x" * 50)
    slow.stranger.frame(HELLO, slow.hello())
    slow.stranger.receive_frame()

    for stranger in (silent, half, slow.stranger):
        stranger.rest()
        stranger.close()
    wait_until(lambda: counts(victim) == (before[0] + 3, before[1]), "all three to be counted")


def test_many_connections_that_say_nothing_do_not_keep_others_out(victim: pa.Session) -> None:
    crowd = [Stranger(victim) for _ in range(100)]

    honest = _Dialler(victim)
    honest.shake_hands()

    for stranger in (*crowd, honest.stranger):
        stranger.close()


def test_a_flood_of_connections_that_say_nothing_is_bounded_and_keeps_nobody_out(
    victim: pa.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialling = victim.runtime.node.dialling
    most = 64
    monkeypatch.setattr(dialling._half_open, "_most", most)
    crowd = []

    for number in range(5 * most):
        crowd.append(Stranger(victim))
        if number % most == 0:
            _Dialler(victim).shake_hands().close()
        assert on_loop(victim, lambda: len(dialling._half_open)) <= most

    wait_until(lambda: "too many without a handshake" in kinds(victim), "the refusals to be counted")
    wait_until(lambda: strangers(victim) <= most, "no more than the bound to be left")
    for stranger in crowd:
        stranger.close()


# ---- in the handshake ------------------------------------------------------------------------------------------------


class _Dialler:
    """The dialling side of a handshake, by hand."""

    def __init__(self, session: pa.Session, cookie: bytes | None = None, **changed: Any) -> None:
        node = session.runtime.node
        given = {"cluster": session.cluster, "channels": dict(node.lanes), "channel": "calls", "lane": 0, **changed}
        me = Identity(
            NodeId("stranger", random.randrange(2**40)), given["cluster"], (), given["channels"], observer=True
        )
        self.stranger = Stranger(session)
        self.handshake = Handshake(
            me, cookie or read_cookie(), b"n" * 16, dialler=True, channel=given["channel"], lane=given["lane"]
        )
        self.handshake.sessions = False  # as observers do: it does not come back to go on
        self.handshake.start()

    def hello(self) -> bytes:
        return self.handshake.output.pop(0)

    def shake_hands(self) -> Stranger:
        self.stranger.frame(HELLO, self.hello())
        while not self.handshake.done:
            self.handshake.receive(self.stranger.receive_frame())
            for body in self.handshake.output:
                self.stranger.frame(HELLO, body)
            self.handshake.output.clear()
        self.stranger.is_open = True
        return self.stranger


def test_another_cookie_is_refused_with_the_reason(victim: pa.Session) -> None:
    with pytest.raises(pa.AuthenticationError, match="the cookies differ"):
        _Dialler(victim, cookie=b"not the cookie").shake_hands()


def test_another_cookie_s_proof_is_refused_with_the_reason(victim: pa.Session) -> None:
    before = counts(victim)
    dialler = _Dialler(victim)
    dialler.stranger.frame(HELLO, dialler.hello())
    dialler.stranger.receive_frame()

    dialler.stranger.frame(HELLO, msgpack.packb({"type": "proof", "proof": b"x" * 32}))

    assert b"the cookies differ" in assert_refused(victim, dialler.stranger, before)


def test_another_cluster_is_refused_with_the_reason(victim: pa.Session) -> None:
    with pytest.raises(pa.AuthenticationError, match=r"refused us: .*it belongs to cluster 'other'"):
        _Dialler(victim, cluster="other").shake_hands()


def test_another_version_is_refused_with_both_versions(victim: pa.Session) -> None:
    before = counts(victim)
    told = kinds(victim).get("protocol version", 0)
    dialler = _Dialler(victim)
    said = {**msgpack.unpackb(dialler.hello()), "version": PROTOCOL_VERSION + 1, "something": "new"}

    dialler.stranger.frame(HELLO, msgpack.packb(said))

    text = f"protocol version {PROTOCOL_VERSION + 1}, this node speaks {PROTOCOL_VERSION}"
    assert text.encode() in assert_refused(victim, dialler.stranger, before)
    assert kinds(victim)["protocol version"] == told + 1


def test_a_replayed_handshake_is_refused(victim: pa.Session) -> None:
    first = _Dialler(victim)
    hello = first.hello()
    first.stranger.frame(HELLO, hello)
    first.handshake.receive(first.stranger.receive_frame())
    (proof,) = first.handshake.output
    first.stranger.frame(HELLO, proof)
    before = counts(victim)
    second = Stranger(victim)

    second.frame(HELLO, hello)
    second.receive_frame()
    second.frame(HELLO, proof)

    assert b"the cookies differ" in assert_refused(victim, second, before)
    first.stranger.close()


# ---- after the handshake ---------------------------------------------------------------------------------------------

KEY = bytes(12)


def _batch(*messages: Any) -> tuple[int, bytes]:
    return BATCH, b"".join(msgpack.packb(message) for message in messages)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (HELLO, b"again"),
        (99, b"what"),
        (CHUNK, b"unannounced"),
        (BATCH, b""),
        (BATCH, b"\xc1\xc1"),
        (LARGE, msgpack.packb([[], [Kind.TELL, KEY, "x"]])),
        (LARGE, msgpack.packb([[0], [Kind.TELL, KEY, "x"]])),
        (LARGE, msgpack.packb([["a"], [Kind.TELL, KEY, "x"]])),
        (LARGE, msgpack.packb([[2**62], [Kind.TELL, KEY, "x"]])),
        (LARGE, msgpack.packb(7)),
        (LARGE, b"\xc1"),
        _batch(17),
        _batch([]),
        _batch(["call"]),
        _batch([Kind.COUNT]),
        _batch([10**6]),
        _batch([2**70 % 2**64]),
        _batch([Kind.CALL]),
        _batch([Kind.CALL, 1]),
        _batch([Kind.CALL, 1, [KEY], "x"]),
        _batch([Kind.CALL_META, 1]),
        _batch([Kind.CALL_PICKLED, 1]),
        _batch([Kind.TELL]),
        _batch([Kind.REPLY]),
        _batch([Kind.RELAY, 1]),
        _batch([Kind.CONTROL]),
        _batch([Kind.CONTROL, 5]),
        _batch([Kind.CONTROL, ["no such message"]]),
        _batch([Kind.CONTROL, ["hyparview.join", 1, 2, 3, 4, 5]]),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else str(value),
)
def test_malformed_messages_of_a_peer_close_its_connection_and_are_counted(
    victim: pa.Session, kind: int, body: bytes
) -> None:
    before = counts(victim)
    stranger = _Dialler(victim).shake_hands()

    stranger.frame(kind, body)

    stranger.rest()
    stranger.close()
    wait_until(lambda: counts(victim) == (before[0], before[1] + 1), "the breach to be counted")


@pytest.mark.parametrize("count", [2, 1000, 2**32 - 1])
def test_a_batch_with_fewer_messages_than_it_announced_closes_the_connection(victim: pa.Session, count: int) -> None:
    before = counts(victim)
    stranger = _Dialler(victim).shake_hands()

    stranger.frame(BATCH, msgpack.packb([Kind.PING]), count)

    stranger.rest()
    stranger.close()
    wait_until(lambda: counts(victim) == (before[0], before[1] + 1), "the breach to be counted")


def test_an_oversize_frame_of_a_peer_closes_its_connection(victim: pa.Session) -> None:
    before = counts(victim)
    stranger = _Dialler(victim).shake_hands()

    stranger.send(HEADER.pack(FRAME_BYTES_MAX + 1, BATCH, 1, 0, 0, 0) + bytes(1000))

    stranger.rest()
    stranger.close()
    wait_until(lambda: counts(victim) == (before[0], before[1] + 1), "the breach to be counted")


def test_a_call_to_no_actor_is_answered_and_the_connection_stays(victim: pa.Session) -> None:
    stranger = _Dialler(victim).shake_hands()

    stranger.frame(*_batch([Kind.CALL, 7, KEY, "anything"]))
    answer = msgpack.unpackb(stranger.receive_frame())

    assert answer[:2] == [Kind.REPLY_ERROR, 7]
    assert b"ActorNotFound" in answer[2]
    stranger.frame(*_batch([Kind.CALL, 8, b"@inspect", "nonsense"]))
    assert msgpack.unpackb(stranger.receive_frame())[:2] == [Kind.REPLY_ERROR, 8]
    stranger.close()


@pytest.mark.parametrize("seed", range(20))
def test_random_frames_of_a_peer_never_harm_the_node(victim: pa.Session, seed: int) -> None:
    rng = random.Random(seed)
    stranger = _Dialler(victim).shake_hands()

    for _ in range(20):
        stranger.frame(rng.choice([BATCH, BATCH, BATCH, LARGE, CHUNK, HELLO]), rng.randbytes(rng.randrange(1, 200)))

    stranger.close()


# ---- a sample of what is drawn by the hundred thousand in memory -----------------------------------------------------


@pytest.mark.parametrize("seed", range(0, 1000, 100))
def test_hostile_streams_of_strangers_are_closed(victim: pa.Session, seed: int) -> None:
    for number in range(seed, seed + 20):
        stranger = Stranger(victim)
        stranger.send(hostile.before_handshake(random.Random(number)))
        stranger.close()


@pytest.mark.parametrize("seed", range(0, 1000, 100))
def test_hostile_streams_of_peers_are_closed(victim: pa.Session, seed: int) -> None:
    for number in range(seed, seed + 20):
        stranger = _Dialler(victim).shake_hands()
        stranger.send(hostile.after_handshake(random.Random(number)))
        stranger.close()
