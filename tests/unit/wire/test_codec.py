"""Tests of the control plane's bytes: what is declared travels, and nothing else is let in."""

from __future__ import annotations

import enum
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack
import pytest

from partisan_actors.errors import ProtocolError
from partisan_actors.ids import NodeId
from partisan_actors.messages import Carried, Sealed, message, message_types
from partisan_actors.wire.codec import decode_message, encode_message, pack, unpack, unpacker

A, B = NodeId("a", 1), NodeId("b", 2)


@message("tests.inner")
@dataclass(frozen=True)
class Inner:
    number: int


@message("tests.outer")
@dataclass(frozen=True)
class Outer:
    node: NodeId
    ratio: float
    flag: bool
    text: str | None
    data: bytes
    inner: Inner
    pair: tuple[int, str]
    many: tuple[NodeId, ...]
    sequence: Sequence[int]
    numbers: list[int]
    table: dict[str, float]
    anything: object


ANYTHING = [B, {"i": Inner(7)}, 1]
EXAMPLE = Outer(A, 0.5, True, None, b"x", Inner(3), (1, "y"), (A, B), (1, 2, 3), [4], {"k": 1.0}, ANYTHING)


@dataclass
class Book:
    """An address book that writes down what it hears."""

    known: dict[NodeId, list[str]] = field(default_factory=dict)

    def addresses_of(self, node: NodeId) -> Sequence[str]:
        return self.known.get(node, [])

    def learn(self, node: NodeId, addresses: Sequence[str]) -> None:
        self.known[node] = list(addresses)


def travel(value: object, sender: Book | None = None, receiver: Book | None = None) -> Any:
    """Encode, pack, unpack and decode."""
    return decode_message(unpack(pack(encode_message(value, sender or Book()))), receiver or Book())


def test_every_declared_kind_of_field_survives_the_way() -> None:
    assert travel(EXAMPLE) == EXAMPLE


@message("tests.envelope")
@dataclass(frozen=True)
class Envelope:
    carried: Carried


@pytest.mark.parametrize("value", [None, True, 7, 0.5, "text", b"bytes"])
def test_an_atom_is_carried_as_it_is(value: object) -> None:
    assert travel(Envelope(value)) == Envelope(value)


def test_what_is_carried_stays_sealed_until_it_is_opened_however_often_it_is_passed_on() -> None:
    sender, last = Book({B: ["b:1"]}), Book()
    first = travel(Envelope(ANYTHING), sender)
    second = travel(first, Book(), last)

    assert isinstance(second.carried, Sealed) and second == first
    assert last.known == {}

    assert second.carried.open() == ANYTHING
    assert last.known == {B: ["b:1"]}, "as its origin knew it"


@pytest.mark.parametrize("packed", [b"", b"\xc1", b"\x91", pack([1]) + b"x", pack([msgpack.ExtType(1, b"\xc1")])])
def test_what_is_carried_and_makes_no_sense_is_an_error_when_it_is_opened(packed: bytes) -> None:
    there = decode_message(["tests.envelope", msgpack.ExtType(3, packed)], Book())

    with pytest.raises(ProtocolError):
        there.carried.open()


@pytest.mark.parametrize("value", [[1], {"k": 1}, msgpack.ExtType(1, b""), msgpack.ExtType(4, b"")])
def test_what_is_carried_and_not_sealed_is_no_message(value: object) -> None:
    with pytest.raises(ProtocolError, match="carried"):
        decode_message(["tests.envelope", value], Book())


def test_every_registered_message_has_a_rule_for_each_of_its_fields() -> None:
    import partisan_actors.node.overlays  # noqa: F401 - imports every protocol, and so fills the registry

    tags = [tag for tag in message_types() if not tag.startswith("tests.")]

    assert len(tags) > 10
    for tag in tags:
        # The number of fields is looked at only after the rules have been made.
        with pytest.raises(ProtocolError, match="expected"):
            decode_message([tag, *[None] * 40], Book())


def test_a_node_id_travels_with_its_addresses() -> None:
    receiver = Book()

    travel(EXAMPLE, Book({A: ["a:1"], B: ["b:1", "b:2"]}), receiver)

    assert receiver.known == {A: ["a:1"], B: ["b:1", "b:2"]}


def test_a_node_id_without_addresses_teaches_nothing() -> None:
    receiver = Book({A: ["a:1"]})

    travel(EXAMPLE, Book(), receiver)

    assert receiver.known == {A: ["a:1"]}


def test_what_is_not_registered_is_not_encoded() -> None:
    with pytest.raises(TypeError, match="not a registered message"):
        encode_message(object(), Book())


def test_nothing_is_silently_turned_into_something_else() -> None:
    class Colour(enum.IntEnum):
        RED = 1

    for value in (Colour.RED, (1, 2), {1, 2}, type("Text", (str,), {})("x")):
        with pytest.raises(TypeError):
            pack(value)


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        {},
        [1],
        [None, 1],
        ["tests.unknown", 1],
        ["tests.inner"],
        ["tests.inner", 1, 2],
        ["tests.inner", "1"],
        ["tests.inner", True],
        ["tests.inner", 1.0],
        ["tests.inner", None],
    ],
)
def test_what_does_not_fit_the_declaration_is_refused(plain: object) -> None:
    with pytest.raises(ProtocolError):
        decode_message(plain, Book())


def replaced(name: str, value: object) -> list[Any]:
    """EXAMPLE in plain form with another value in one field."""
    plain = encode_message(EXAMPLE, Book())
    plain[1 + list(Outer.__dataclass_fields__).index(name)] = value
    return plain


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("node", ["a", 1]),
        ("node", ["", 1, []]),
        ("node", ["a", -1, []]),
        ("node", ["a", 1, [1]]),
        ("node", ["a", 1, ["x"] * 17]),
        ("node", ["a", 1, ["x" * 512]]),
        ("ratio", "1"),
        ("flag", 1),
        ("text", 1),
        ("data", "x"),
        ("inner", ["tests.outer"]),
        ("inner", [*encode_message(Inner(1), Book()), 1]),
        ("pair", [1]),
        ("pair", [1, "y", 2]),
        ("pair", ["y", 1]),
        ("many", [None]),
        ("many", None),
        ("sequence", ["1"]),
        ("sequence", {}),
        ("numbers", [1.5]),
        ("table", {1: 1.0}),
        ("table", {"k": None}),
        ("table", []),
    ],
)
def test_a_field_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    assert decode_message(replaced("text", "fine"), Book()).text == "fine"

    with pytest.raises(ProtocolError):
        decode_message(replaced(name, value), Book())


def test_an_int_may_stand_for_a_float() -> None:
    assert decode_message(replaced("ratio", 1), Book()).ratio == 1.0


@pytest.mark.parametrize("seed", range(10))
def test_mangled_bytes_decode_to_a_message_or_raise_our_error(seed: int) -> None:
    rng = random.Random(seed)
    good = pack(encode_message(EXAMPLE, Book({A: ["a:1"]})))
    for _ in range(1000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            plain = unpack(bytes(data))
        except (ValueError, TypeError):  # msgpack's own door: what comes through is plain
            continue
        try:
            assert type(decode_message(plain, Book())) in message_types().values()
        except ProtocolError:
            continue


def test_a_streaming_decoder_holds_no_more_than_it_may() -> None:
    stream = unpacker(100)

    with pytest.raises(msgpack.BufferFull):
        stream.feed(b"x" * 101)
