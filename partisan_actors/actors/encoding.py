"""Messages of actors as bytes: a head of small values, and a payload that travels beside it when it is large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from partisan_actors.node.router import Peer
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import INLINE_BYTES_MAX
from partisan_actors.wire.payload import Payload

if TYPE_CHECKING:
    from partisan_actors.actors.host import CopyBuffers

__all__ = ["Encoded", "as_sent", "copies_of", "pack_payload", "send_out_of_order"]

Encoded = tuple[bytes, list[Any] | None]


def pack_payload(
    head: list[Any], payload: Payload, copy: CopyBuffers | None = None, peer: Peer | None = None
) -> Encoded:
    """A message that ends in a payload. A large pickle travels beside it, as its first buffer, announced by None.

    `copy` makes its buffers what is sent to `peer`, if that is known.
    """
    # A buffer that its owner may still change is copied now: what was sent is what the value was at the call.
    buffers = (copy or copies_of)(payload.buffers, peer) if payload.buffers else []
    if len(payload.body) <= INLINE_BYTES_MAX:
        return pack([*head, payload.body]), buffers or None
    return pack([*head, None]), [payload.body, *buffers]


def copies_of(views: Sequence[memoryview], peer: Peer | None) -> list[Any]:
    """Buffers as they are now, for a message to whomever: `CopyBuffers` without shared memory."""
    return [as_sent(view) for view in views]


def as_sent(view: memoryview) -> Any:
    """A buffer as it is now, for a message: a copy, unless nobody may write to it."""
    if isinstance(view.obj, bytes) and len(view.obj) == view.nbytes:
        return view.obj
    return view if view.readonly else bytearray(view)


def send_out_of_order(peer: Peer, encoded: Encoded, affinity: int, channel: str = CALLS) -> None:
    """Queue what has no order with other messages towards a peer. Raises NodeDown, NoRoute and Overloaded."""
    message, buffers = encoded
    connection = peer.calls
    if buffers is None and connection is not None and channel == CALLS:
        connection.send(message)
    elif buffers is None:
        peer.send(message, channel, affinity)
    else:
        peer.reply_large(message, buffers, channel, affinity)
