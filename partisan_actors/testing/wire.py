"""Messages on their way as bytes, as between real nodes: what the codec does to them, without a socket."""

from __future__ import annotations

from collections.abc import Sequence

from partisan_actors.ids import NodeId
from partisan_actors.wire.codec import decode_message, encode_message, pack, unpack

__all__ = ["through_bytes"]


class _NoAddresses:
    def addresses_of(self, node: NodeId) -> Sequence[str]:
        return ()

    def learn(self, node: NodeId, addresses: Sequence[str]) -> None:
        pass


def through_bytes(message: object) -> object:
    """`message`, encoded and decoded. Raises AssertionError when it does not come out as it went in.

    The usual reason is a list in a field that is declared as a tuple, or a value of another type than is declared.
    """
    book = _NoAddresses()
    arrived = decode_message(unpack(pack(encode_message(message, book))), book)
    if arrived != message:
        raise AssertionError(f"{message!r} went in, {arrived!r} came out: do its values fit its declared types?")
    return arrived
