"""How a node answers a task that came the short way: from its loop, or from the thread that ran it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from partisan_actors.actors.inbound import TINY, encode_answer, send_encoded
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.user_errors import user_error
from partisan_actors.errors import PartisanError, SerializationError, TaskCancelled, TaskFailed
from partisan_actors.node.router import Peer
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

if TYPE_CHECKING:
    from partisan_actors.actors.encoding import Encoded

__all__ = ["LaterAnswer", "NotTaken", "settle"]

_REPLY: Final = Kind.REPLY


class NotTaken(Exception):
    """This node does not run the task, or not yet: it lacks the code, or an actor took what it was waiting for."""


def settle(reply: Reply[Any] | LaterAnswer, value: Any, error: BaseException | None, where: str) -> None:
    """Answer with what came of a task: its value, or what it raised as its caller gets that. On the loop."""
    if error is None:
        reply.succeed(value)
    elif isinstance(error, (SerializationError, TaskCancelled)) and not isinstance(error, TaskFailed):
        reply.fail(error)
    else:
        reply.fail(user_error(error, where))


class LaterAnswer:
    """Stands in for the `Reply` of a task that came the short way: its outcome is sent at once."""

    __slots__ = ("_encoded", "_is_done", "_number", "_peer", "_system")

    def __init__(self, system: ActorSystem, peer: Peer, number: int) -> None:
        self._system = system
        self._peer = peer
        self._number = number
        self._is_done = False
        self._encoded: Encoded | None = None

    def done(self) -> bool:
        """Whether it was sent."""
        return self._is_done

    def succeed(self, value: Any) -> None:
        """The function returned `value`. The first outcome stands."""
        if self._is_done:
            return
        self._is_done = True
        connection = self._peer.calls
        if type(value) in TINY and self._encoded is None and connection is not None:
            with suppress(OverflowError, PartisanError):  # beyond 64 bits; a caller that does not read
                connection.send(pack([_REPLY, self._number, value]))
                return
        send_encoded(self._peer, self._encoded or self._encode(value), 0)

    def encode(self, value: Any) -> None:
        """On the thread that ran it, before the loop can hear of that: so no value is pickled twice."""
        if self._is_done:
            return
        if type(value) in TINY:
            with suppress(OverflowError):  # beyond 64 bits
                self._encoded = pack([_REPLY, self._number, value]), None
                return
        self._encoded = self._encode(value)

    def succeed_from_thread(self) -> bool:
        """On that thread: send what was encoded, if nothing waits to be sent there; else `succeed` is to be called.

        Should the loop fail it in the same moment, both are sent, and the first one stands over there.
        """
        encoded = self._encoded
        if self._is_done or encoded is None:
            return True
        connection = self._peer.calls
        self._is_done = True  # while it is sent, lest the loop sends it, too
        self._is_done = encoded[1] is None and connection is not None and connection.send_from_thread(encoded[0])
        return self._is_done

    def _encode(self, value: Any) -> Encoded:
        return encode_answer(self._number, value, "the answer", self._system.copy_buffers, self._peer)

    def fail(self, error: BaseException) -> None:
        """Why there is no value."""
        if not self._is_done:
            self._is_done = True
            self._system.reply_error(self._peer, self._number, error)
