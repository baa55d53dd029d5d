"""The control plane's bytes: registered messages to msgpack and back, every field checked on the way in.

Encoding walks the registry of `messages`, so a new protocol needs no edit here. Nothing is ever unpickled.
A NodeId travels with the addresses of its node, taken from and given to the `AddressBook` of whoever encodes and
decodes: machines know ids, transports know addresses, and a node can dial whomever it hears of.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple, Protocol

import msgpack

from partisan_actors.errors import ProtocolError
from partisan_actors.ids import NodeId
from partisan_actors.messages import Carried, Sealed, message_types, tag_of

__all__ = ["AddressBook", "decode_message", "encode_message", "pack", "read_declarations", "unpack", "unpacker"]

UNPACKER_BYTES = 16 * 1024

# Extension types of values whose declared type is `object`, and of a whole value that is Carried.
_EXT_MESSAGE = 1
_EXT_NODE = 2
_EXT_SEALED = 3

# Strict: a tuple or a subclass of int, str, dict ... is never silently turned into something else.
pack: Callable[[Any], bytes] = msgpack.Packer(strict_types=True, autoreset=True).pack


def unpack(data: bytes) -> Any:
    """The inverse of `pack`. Raises ValueError or TypeError for what is not exactly one plain value."""
    return msgpack.unpackb(data, strict_map_key=False)


def unpacker(max_bytes: int) -> msgpack.Unpacker:
    """A streaming decoder of plain values; it never holds more than `max_bytes`."""
    # Without a size it would begin with a megabyte, whatever it will ever need.
    first_bytes = min(max_bytes, UNPACKER_BYTES)
    return msgpack.Unpacker(max_buffer_size=max_bytes, read_size=first_bytes, strict_map_key=False, use_list=True)


class AddressBook(Protocol):
    """Where nodes can be dialled."""

    def addresses_of(self, node: NodeId) -> Sequence[str]:
        """Every known address of `node`, best first; empty when none is known."""
        ...

    def learn(self, node: NodeId, addresses: Sequence[str]) -> None:
        """A peer says that `node` can be dialled at `addresses`."""
        ...


def encode_message(message: object, book: AddressBook) -> list[Any]:
    """A registered message as plain lists, ready to be packed. Raises TypeError for what is not registered."""
    tag = tag_of(message)
    if tag is None:
        raise TypeError(f"not a registered message: {message!r}")
    plain: list[Any] = [tag]
    cls: type = type(message)
    for name, encode, _ in _fields_of(cls):
        value = getattr(message, name)
        plain.append(value if encode is None else encode(value, book))
    return plain


def decode_message(plain: object, book: AddressBook) -> Any:
    """The inverse of `encode_message`. Raises ProtocolError for anything that does not fit the declared fields."""
    if not isinstance(plain, list) or not plain or not isinstance(plain[0], str):
        raise ProtocolError("a control message must be an array that starts with its tag")
    cls = message_types().get(plain[0])
    if cls is None:
        raise ProtocolError(f"unknown control message {plain[0]!r}")
    fields = _fields_of(cls)
    if len(plain) != len(fields) + 1:
        raise ProtocolError(f"{plain[0]}: {len(plain) - 1} fields, expected {len(fields)}")
    try:
        return cls(*[field[2](value, book) for field, value in zip(fields, plain[1:], strict=True)])
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"{plain[0]}: {error}") from error


def read_declarations() -> None:
    """Read the fields of every registered message now, and not when the first one comes."""
    for cls in message_types().values():
        _fields_of(cls)


_Coder = Callable[[Any, AddressBook], Any]


# What is the same on the wire. Most values are, so it is asked first: a node of a large cluster encodes and decodes
# thousands of control messages a second.
_ATOMS = frozenset({type(None), bool, int, float, str, bytes})


class _Field(NamedTuple):
    """`encode` None: the value goes as it is."""

    name: str
    encode: _Coder | None
    decode: _Coder


@cache
def _fields_of(cls: type) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(cls)
    return tuple(
        _Field(field.name, _encoder(hints[field.name]), _decoder(hints[field.name]))
        for field in dataclasses.fields(cls)
    )


def _encoder(hint: Any) -> _Coder | None:
    """What a declared type needs; None: nothing."""
    if hint in _ATOMS:
        return None
    if hint == Carried:
        return _seal
    if _is_open(hint):
        return _encode_open
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is not tuple or not arguments:
        return _encode
    if arguments[-1] is not Ellipsis:
        encoders = [_encoder(argument) for argument in arguments]
        return lambda value, book: [
            item if encode is None else encode(item, book) for encode, item in zip(encoders, value, strict=True)
        ]
    each = _encoder(arguments[0])
    return _listed if each is None else lambda value, book: [each(item, book) for item in value]


def _listed(value: Any, book: AddressBook) -> Any:
    return list(value)


def _is_open(hint: Any) -> bool:
    return hint is Any or hint is object


def _encode(value: Any, book: AddressBook) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is NodeId:
        return [value.name, value.incarnation, list(book.addresses_of(value))]
    if kind in (tuple, list):
        return [_encode(item, book) for item in value]
    if kind is dict:
        return {key: _encode(item, book) for key, item in value.items()}
    return encode_message(value, book) if tag_of(value) is not None else value


def _encode_open(value: Any, book: AddressBook) -> Any:
    """For fields declared as `object`: ids and messages inside say what they are. Tuples become lists."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is NodeId:
        return msgpack.ExtType(_EXT_NODE, pack(_encode(value, book)))
    if kind in (tuple, list):
        return [_encode_open(item, book) for item in value]
    if kind is dict:
        return {key: _encode_open(item, book) for key, item in value.items()}
    if tag_of(value) is not None:
        return msgpack.ExtType(_EXT_MESSAGE, pack(encode_message(value, book)))
    return value


def _seal(value: Any, book: AddressBook) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    return msgpack.ExtType(_EXT_SEALED, value.packed if kind is Sealed else pack(_encode_open(value, book)))


def _decode_carried(value: Any, book: AddressBook) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is not msgpack.ExtType or value.code != _EXT_SEALED:
        raise TypeError(f"expected a value that is carried, got {kind.__name__}")
    return Sealed(value.data, partial(_unseal, book))


def _unseal(book: AddressBook, packed: bytes) -> Any:
    try:
        return _decode_open(unpack(packed), book)
    except (TypeError, ValueError, msgpack.UnpackException) as error:
        raise ProtocolError(f"what a control message carries: {error}") from error


def _decode_open(value: Any, book: AddressBook) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is list:
        return [_decode_open(item, book) for item in value]
    if kind is dict:
        return {key: _decode_open(item, book) for key, item in value.items()}
    if kind is msgpack.ExtType:
        plain = unpack(value.data)
        if value.code == _EXT_NODE:
            return _decode_node(plain, book)
        if value.code == _EXT_MESSAGE:
            return decode_message(plain, book)
        raise TypeError(f"unknown extension type {value.code}")
    return value


def _decoder(hint: Any) -> _Coder:
    origin = typing.get_origin(hint)
    if hint is NodeId or hint is Hashable:
        return _decode_node
    if hint == Carried:
        return _decode_carried
    if _is_open(hint):
        return _decode_open
    if hint is None or hint is type(None):
        return _expect(type(None))
    if hint in (bool, int, str, bytes):
        return _expect(hint)
    if hint is float:
        return _decode_float
    if origin in (typing.Union, types.UnionType):
        return _decode_union([_decoder(option) for option in typing.get_args(hint)])
    if origin in (tuple, list, Sequence):
        return _decode_sequence(hint, list if origin is list else tuple)
    if origin in (dict, Mapping):
        return _decode_dict(*typing.get_args(hint))
    if dataclasses.is_dataclass(hint):
        return _decode_nested(typing.cast(type, hint))
    raise TypeError(f"the codec has no rule for a field of type {hint!r}")


def _expect(kind: type) -> _Coder:
    def decode(value: Any, book: AddressBook) -> Any:
        if type(value) is not kind:
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return decode


def _decode_float(value: Any, book: AddressBook) -> float:
    if type(value) not in (float, int):
        raise TypeError(f"expected a number, got {type(value).__name__}")
    return float(value)


def _decode_node(value: Any, book: AddressBook) -> Any:
    if type(value) is not list or len(value) != 3:
        raise TypeError("expected a node id")
    name, incarnation, addresses = value
    if type(name) is not str or not name or type(incarnation) is not int or incarnation < 0:
        raise TypeError("expected a node id")
    node = _node_id(name, incarnation)
    if addresses:
        if type(addresses) is not list or len(addresses) > 16:
            raise TypeError("bad addresses in a node id")
        for address in addresses:
            if type(address) is not str or len(address) >= 512:
                raise TypeError("bad addresses in a node id")
        book.learn(node, addresses)
    return node


# One object for each node, and not one for each time it is named, for as long as it is in use.
_node_id = lru_cache(maxsize=16_384)(NodeId)


def _decode_union(options: list[_Coder]) -> _Coder:
    def decode(value: Any, book: AddressBook) -> Any:
        for option in options:
            try:
                return option(value, book)
            except (TypeError, ProtocolError):
                continue
        raise TypeError(f"no alternative fits a {type(value).__name__}")

    return decode


def _decode_sequence(hint: Any, make: Callable[[Any], Any]) -> _Coder:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and arguments[-1:] != (Ellipsis,):
        items = [_decoder(argument) for argument in arguments]

        def decode_fixed(value: Any, book: AddressBook) -> Any:
            if type(value) is not list or len(value) != len(items):
                raise TypeError(f"expected an array of {len(items)}")
            return make([decode(item, book) for decode, item in zip(items, value, strict=True)])

        return decode_fixed
    item = _decoder(arguments[0])

    def decode_many(value: Any, book: AddressBook) -> Any:
        if type(value) is not list:
            raise TypeError(f"expected an array, got {type(value).__name__}")
        return make([item(each, book) for each in value])

    return decode_many


def _decode_dict(key_hint: Any, value_hint: Any) -> _Coder:
    key_of, value_of = _decoder(key_hint), _decoder(value_hint)

    def decode(value: Any, book: AddressBook) -> Any:
        if type(value) is not dict:
            raise TypeError(f"expected a map, got {type(value).__name__}")
        return {key_of(key, book): value_of(item, book) for key, item in value.items()}

    return decode


def _decode_nested(cls: type) -> _Coder:
    def decode(value: Any, book: AddressBook) -> Any:
        message = decode_message(value, book)
        if type(message) is not cls:
            raise TypeError(f"expected {cls.__name__}, got {type(message).__name__}")
        return message

    return decode
