"""What a tell that reached nobody held, packed as its sender packed it: kept, so that it can be sent again."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from partisan_actors.actors.keys import KEY_BYTES
from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.frames import Kind

__all__ = ["PARCEL_BYTES_MAX", "is_parcel", "method_in", "packed_again", "parcel_or_method", "readdressed"]

# What is larger is not kept, only what it was. With dead_letters.DEAD_LETTERS_MAX, the memory that they take.
PARCEL_BYTES_MAX: Final = 16 * 1024
_WITH_META: Final = (Kind.TELL_META, Kind.TELL_PICKLED)
_META: Final = 3


def method_in(message: bytes) -> str:
    """The method that a packed tell names: ``[kind, key, method, ...]``."""
    try:
        return str(unpack(message)[2])
    except (ValueError, TypeError, IndexError):
        return "tell"


def parcel_or_method(message: bytes, buffers: Any) -> bytes | str:
    """A packed tell of ours; only what it names, when its large arguments travel apart from it."""
    return method_in(message) if buffers else message


def packed_again(key: bytes, method: str, args: Any) -> bytes | str:
    """A tell that has arrived, as its sender packed it; only its method's name when that is too large, or unknown.

    `args` is as in `mailbox.Message`: values, or what decodes them, a `partial` of the payload and its buffers.
    """
    if callable(args):
        body, buffers = args.args if isinstance(args, partial) else (None, None)
        if body is None or buffers or len(body) > PARCEL_BYTES_MAX:
            return method
        return pack([Kind.TELL_PICKLED, key, method, None, body])
    # Such arguments are scalars: whatever is not a text or bytes is tiny.
    if sum(len(each) for each in args if isinstance(each, (str, bytes))) > PARCEL_BYTES_MAX:
        return method
    return pack([Kind.TELL, key, method, *args])


def is_parcel(message: bytes) -> bool:
    """Whether that is a tell for an actor, small enough to be kept."""
    if len(message) > PARCEL_BYTES_MAX:
        return False
    try:
        kind, key, *_ = unpack(message)
    except (ValueError, TypeError):
        return False
    return kind in (Kind.TELL, *_WITH_META) and isinstance(key, bytes) and len(key) == KEY_BYTES


def readdressed(parcel: bytes, key: bytes) -> bytes:
    """The same tell for the actor with that key. It belongs to no trace any more."""
    message: list[Any] = unpack(parcel)
    message[1] = key
    if message[0] in _WITH_META:
        message[_META] = None
    if message[0] == Kind.TELL_META:
        message[0] = Kind.TELL
        del message[_META]
    return pack(message)
