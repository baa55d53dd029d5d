"""`fingerprint`: a 64-bit hash of a plain value, the same in every process, before and after travel.

Builtin `hash` is salted per process; this one is BLAKE2b over a canonical encoding in which a tuple equals a list (the
wire does not keep them apart) and a mapping has no order.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from typing import Any

from partisan_actors.messages import tag_of

__all__ = ["fingerprint"]

_BYTES = 8


def fingerprint(*values: object) -> int:
    """The hash of `values`. Raises TypeError for what is neither plain nor a registered message."""
    encoded = bytearray()
    for value in values:
        _encode(value, encoded)
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=_BYTES).digest(), "big")


def _encode(value: Any, into: bytearray) -> None:
    # Every value is its kind, its length and its contents, so that no two values share an encoding. What nearly every
    # entry is made of comes first: a node of a thousand takes two million of them while all join.
    kind = type(value)
    if kind is str:
        text = value.encode("utf-8", "surrogatepass")
        into += b"s%d:%b" % (len(text), text)
        return
    if kind is int:
        digits = b"%d" % value
        into += b"i%d:%b" % (len(digits), digits)
        return
    if kind is bytes:
        into += b"b%d:%b" % (len(value), value)
        return
    match value:
        case None:
            into += b"n"
        case bool():
            into += b"t" if value else b"f"
        case int():
            _sized(b"i", str(value).encode(), into)
        case float():
            into += b"d" + struct.pack(">d", value)
        case str():
            _sized(b"s", value.encode("utf-8", "surrogatepass"), into)
        case bytes():
            _sized(b"b", value, into)
        case list() | tuple():
            into += b"l%d:" % len(value)
            for item in value:
                _encode(item, into)
        case dict():
            into += b"m%d:" % len(value)
            for pair in sorted(_encode_pair(key, item) for key, item in value.items()):
                into += pair
        case _:
            _encode_message(value, into)


def _sized(kind: bytes, contents: bytes, into: bytearray) -> None:
    into += b"%b%d:" % (kind, len(contents))
    into += contents


def _encode_pair(key: object, value: object) -> bytes:
    pair = bytearray()
    _encode(key, pair)
    _encode(value, pair)
    return bytes(pair)


def _encode_message(value: object, into: bytearray) -> None:
    tag = tag_of(value)
    if tag is None or not dataclasses.is_dataclass(value):
        raise TypeError(f"{type(value).__qualname__} is neither a plain value nor a registered message")
    _sized(b"r", tag.encode(), into)
    for field in dataclasses.fields(value):
        _encode(getattr(value, field.name), into)
