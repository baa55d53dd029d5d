"""Tests of the handshake: who is let in, who is not, and that both sides hear why."""

from __future__ import annotations

import random

import msgpack
import pytest

from partisan_actors.errors import AuthenticationError, PartisanError, ProtocolError
from partisan_actors.ids import NodeId
from partisan_actors.wire.handshake import PROTOCOL_VERSION, Handshake, Identity
from tests.wiring import handshake, identity


def converse(dialler: Handshake, acceptor: Handshake) -> list[bytes]:
    """Let the two talk until nobody has anything to say; returns what was said."""
    said = []
    dialler.start()
    acceptor.start()
    while dialler.output or acceptor.output:
        for speaker, listener in ((dialler, acceptor), (acceptor, dialler)):
            output, speaker.output = speaker.output, []
            for body in output:
                said.append(body)
                listener.receive(body)
                if listener.is_asked:
                    listener.welcome(0)
    return said


def test_two_nodes_with_one_cookie_come_to_know_each_other() -> None:
    dialler, acceptor = handshake("a", dialler=True, lane=1), handshake("b", dialler=False)

    converse(dialler, acceptor)

    assert dialler.done and acceptor.done
    assert dialler.peer == identity("b") and acceptor.peer == identity("a")
    assert (acceptor.channel, acceptor.lane) == ("calls", 1)


def test_both_sides_give_the_connection_the_same_id_and_another_connection_another() -> None:
    dialler, acceptor = handshake("a", dialler=True), handshake("b", dialler=False)
    other = handshake("a", dialler=True, nonce=b"something else 1")
    other_acceptor = handshake("b", dialler=False)

    converse(dialler, acceptor)
    converse(other, other_acceptor)

    assert dialler.connection_id == acceptor.connection_id != other.connection_id
    assert len(dialler.connection_id) == 16


def test_the_cookie_never_travels() -> None:
    cookie = b"do not tell anybody"
    said = converse(handshake("a", dialler=True, cookie=cookie), handshake("b", dialler=False, cookie=cookie))

    assert not any(cookie in body for body in said)


def test_nodes_with_different_cookies_refuse_each_other() -> None:
    with pytest.raises(AuthenticationError, match="cookies differ"):
        converse(handshake("a", dialler=True), handshake("b", dialler=False, cookie=b"another cookie"))


def test_an_acceptor_does_not_believe_a_dialler_that_cannot_prove_the_cookie() -> None:
    acceptor = handshake("b", dialler=False)
    dialler = handshake("a", dialler=True)
    dialler.start()
    acceptor.receive(dialler.output.pop())

    with pytest.raises(AuthenticationError, match="cookies differ"):
        acceptor.receive(msgpack.packb({"type": "proof", "proof": bytes(32)}))

    assert not acceptor.done


def test_a_proof_cannot_be_reflected() -> None:
    """An attacker without the cookie sends the acceptor's own proof back to it."""
    acceptor = handshake("b", dialler=False)
    dialler = handshake("a", dialler=True)
    dialler.start()
    acceptor.receive(dialler.output.pop())
    challenge = msgpack.unpackb(acceptor.output.pop())

    with pytest.raises(AuthenticationError):
        acceptor.receive(msgpack.packb({"type": "proof", "proof": challenge["proof"]}))


def test_what_was_said_once_is_worth_nothing_the_next_time() -> None:
    said = converse(handshake("a", dialler=True), handshake("b", dialler=False))
    fresh = handshake("b", dialler=False, nonce=b"the next nonce..")

    fresh.receive(said[0])
    with pytest.raises(AuthenticationError):
        fresh.receive(said[2])


def test_nodes_of_different_clusters_refuse_each_other_and_a_newcomer_without_a_cluster_is_taken() -> None:
    stranger = handshake("a", dialler=True, me=identity("a", cluster="others"))
    newcomer = handshake("a", dialler=True, me=identity("a", cluster=""))

    converse(newcomer, handshake("b", dialler=False))
    assert newcomer.peer is not None and newcomer.peer.cluster == "tests"
    with pytest.raises(AuthenticationError, match=r"'others'.*'tests'"):
        converse(stranger, handshake("b", dialler=False))


def test_who_listens_at_the_address_of_a_former_node_says_so() -> None:
    dialler = handshake("a", dialler=True, expected=NodeId("b", 77))

    with pytest.raises(AuthenticationError, match=r"wanted another node than b~1"):
        converse(dialler, handshake("b", dialler=False))


def test_a_dialler_does_not_take_another_node_for_the_one_it_meant() -> None:
    """The acceptor lies about having been asked for: the dialler looks itself."""
    dialler = handshake("a", dialler=True, expected=NodeId("c", 1))
    acceptor = handshake("b", dialler=False)
    dialler.start()
    hello = msgpack.unpackb(dialler.output.pop())
    acceptor.receive(msgpack.packb({**hello, "expected": None}))

    with pytest.raises(AuthenticationError, match="unexpected peer"):
        dialler.receive(acceptor.output.pop())


@pytest.mark.parametrize(("channel", "lane"), [("calls", 2), ("calls", -1), ("unknown", 0), ("", 0)])
@pytest.mark.parametrize("observer", [False, True])
def test_a_channel_or_lane_that_is_not_configured_here_is_refused(channel: str, lane: int, observer: bool) -> None:
    dialler = handshake("a", dialler=True, channel=channel, lane=lane, me=identity("a", observer=observer))

    with pytest.raises(AuthenticationError, match="not configured here"):
        converse(dialler, handshake("b", dialler=False))


def test_another_version_of_the_protocol_is_refused_with_both_versions_named() -> None:
    dialler = handshake("a", dialler=True)
    dialler.start()
    hello = msgpack.unpackb(dialler.output.pop())

    with pytest.raises(AuthenticationError, match=f"version 999, this node speaks {PROTOCOL_VERSION}"):
        handshake("b", dialler=False).receive(msgpack.packb({**hello, "version": 999}))


def test_a_refusal_is_told_to_the_other_side() -> None:
    acceptor, dialler = handshake("b", dialler=False), handshake("a", dialler=True)
    acceptor.refuse("not today")

    with pytest.raises(AuthenticationError, match="refused us: not today"):
        dialler.receive(acceptor.output.pop())


def test_a_step_out_of_turn_is_refused() -> None:
    said = converse(handshake("a", dialler=True), handshake("b", dialler=False))
    hello, challenge, proof, welcome = said

    for side, body in (
        (handshake("b", dialler=False), challenge),
        (handshake("b", dialler=False), proof),
        (handshake("b", dialler=False), welcome),
        (handshake("a", dialler=True), hello),
        (handshake("a", dialler=True), proof),
        (handshake("a", dialler=True), welcome),
    ):
        with pytest.raises(ProtocolError):
            side.receive(body)
        assert not side.done


@pytest.mark.parametrize("seed", range(10))
def test_a_mangled_conversation_never_ends_in_trust_and_raises_nothing_but_our_errors(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(100):
        dialler, acceptor = handshake("a", dialler=True), handshake("b", dialler=False)
        dialler.start()
        turn, listener = 0, [acceptor, dialler]
        mangled_turn = rng.randrange(4)
        try:
            for turn in range(4):
                (body,) = listener[1 - turn % 2].output
                listener[1 - turn % 2].output = []
                listener[turn % 2].receive(_mangle(rng, body) if turn == mangled_turn else body)
                if acceptor.is_asked:
                    acceptor.welcome(0)
        except PartisanError:
            continue
        # The last word carries no proof: who could change it could change all that follows.
        assert mangled_turn == 3, f"turn {mangled_turn} was mangled, and nobody noticed"


def _mangle(rng: random.Random, body: bytes) -> bytes:
    data = bytearray(body)
    match rng.randrange(3):
        case 0:
            position = rng.randrange(len(data))
            data[position] ^= 1 << rng.randrange(8)
        case 1:
            del data[rng.randrange(len(data)) :]
        case _:
            data[rng.randrange(len(data) + 1) : 0] = rng.randbytes(rng.randint(1, 8))
    return bytes(data)


@pytest.mark.parametrize(
    "plain",
    [
        None,
        {},
        {"name": ""},
        {**identity("a").plain(), "name": ""},
        {**identity("a").plain(), "incarnation": "1"},
        {**identity("a").plain(), "addresses": [1]},
        {**identity("a").plain(), "channels": {"calls": "many"}},
        {**identity("a").plain(), "observer": 1},
    ],
)
def test_a_malformed_identity_is_refused(plain: object) -> None:
    with pytest.raises(ProtocolError):
        Identity.parse(plain)


def test_an_identity_survives_the_way() -> None:
    one = identity("a", observer=True)

    assert Identity.parse(msgpack.unpackb(msgpack.packb(one.plain()))) == one
