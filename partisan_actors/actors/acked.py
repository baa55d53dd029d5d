"""Calls and tells that are acknowledged, or in causal order: from the callers of one node, and to its actors.

They go the way of all messages up to the loop, so they keep their place among plain ones; there they are handed to
`node.delivery` instead of a lane. A call is asked until it is acknowledged, and so is its answer. An acknowledged tell
is asked too, and answered as soon as it is in the actor's mailbox, or with why it is not.

Under a causal label nothing may be sent before what was sent earlier, to whomever. So while one message waits for its
actor to get a place, those behind it wait here, at most HELD_MAX of them for each label.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from partisan_actors.actors.cell import ALIVE, STARTING, Cell
from partisan_actors.actors.parcels import parcel_or_method
from partisan_actors.actors.reasons import end_of
from partisan_actors.actors.ref import Location, Parked
from partisan_actors.errors import (
    ActorUnavailable,
    ConfigError,
    MailboxFull,
    PartisanError,
    ProtocolError,
)
from partisan_actors.node.parties import AckedPeer
from partisan_actors.node.router import DirectOnly, Transitive
from partisan_actors.wire.channels import CALLS, ChannelOptions
from partisan_actors.wire.envelope import ASKS
from partisan_actors.wire.frames import Kind

if TYPE_CHECKING:
    from partisan_actors.actors.host import Host
    from partisan_actors.actors.replies import Reply
    from partisan_actors.node.delivery import Delivery

__all__ = ["Acked", "Manner"]

HELD_MAX: Final = 10_000

_TELLS: Final = frozenset({Kind.TELL, Kind.TELL_META, Kind.TELL_PICKLED})
_QUESTIONS: Final = ASKS | {Kind.TELL_ACKED}


class Manner(str):
    """A channel, for a message that is to be acknowledged, and in causal order under `label` unless that is None.

    `transitive` says whether it may be relayed; None leaves that to the routing of the node. With that it need not be
    acknowledged. It takes the place of the plain name, so that a call has no further argument that hardly any needs.
    """

    __slots__ = ("channel", "is_acked", "label", "transitive")
    channel: str
    label: str | None
    is_acked: bool
    transitive: bool | None

    @classmethod
    def of(cls, channel: str, label: str | None, *, is_acked: bool = True, transitive: bool | None = None) -> Manner:
        """On `channel`."""
        made = cls(channel)
        made.channel, made.label, made.is_acked, made.transitive = channel, label, is_acked, transitive
        return made


class _Sending(NamedTuple):
    """A message that is to be sent. `reply` is None for a tell that nobody waits for; `sender` is its affinity."""

    location: Location
    number: int
    message: bytes
    buffers: Any
    reply: Reply[Any] | None
    manner: Manner
    sender: int


class _Place:
    """Stands for `reply` while its message waits for its actor: whatever comes of that, those behind it go on."""

    def __init__(self, sending: _Sending, failed: Callable[[_Sending, BaseException], None]) -> None:
        self.sending = sending
        self._failed = failed

    def done(self) -> bool:
        """Whether it need not be sent: those behind it wait, so it is always looked at."""
        return False

    def succeed(self, value: Any) -> None:
        """It was not even sent."""
        raise AssertionError("an answer to what was not asked")

    def fail(self, error: BaseException) -> None:
        """Its actor gets no place."""
        self._failed(self.sending, error)


class Acked:
    """What is acknowledged, of one actor system."""

    def __init__(self, system: Host, delivery: Delivery, channels: Mapping[str, ChannelOptions]) -> None:
        self._system = system
        self._delivery = delivery
        self._channels = channels
        # Whose first message waits for its actor; and what waits behind it.
        self._held: dict[str, deque[_Sending]] = {}
        system.dispatch[Kind.TELL_ACKED] = self.on_tell_acked
        delivery.on_unknown_label = self._refuse_label

    def manner(
        self, channel: str, label: str | None, *, is_acked: bool = True, transitive: bool | None = None
    ) -> Manner:
        """How to send on `channel` under `label`, which is acknowledged if there is one.

        Raises ConfigError for a label that this node does not have, and for a channel that drops what is superseded.
        """
        if self._channels[channel].monotonic:
            allowed = "one that is not monotonic, for what is acknowledged or causal, or says how it is routed"
            raise ConfigError("channel", channel, allowed)
        known = self._delivery.labels.check(label) if label is not None else None
        return Manner.of(channel, known, is_acked=is_acked or known is not None, transitive=transitive)

    # ---- out ------------------------------------------------------------------------------------------------------

    def submit(
        self,
        location: Location,
        number: int,
        message: bytes,
        buffers: Any,
        reply: Any,
        manner: Manner,
        sender: int,
    ) -> None:
        """Send a message, or let it wait for its actor's place or for its turn. On the loop."""
        if isinstance(reply, _Place):
            self._send(*reply.sending)
            self._go_on(manner.label or "")
            return
        if location.peer is not None and not self._held:
            self._send(location, number, message, buffers, reply, manner, sender)
            return
        sending = _Sending(location, number, message, buffers, reply, manner, sender)
        held = self._held.get(manner.label) if manner.label is not None else None
        if held is None:
            self._begin(sending)
        elif len(held) < HELD_MAX:
            held.append(sending)
        else:
            why = f"{HELD_MAX} messages under the label {manner.label!r} wait for the place of an actor"
            self._fail(sending, ActorUnavailable(str(location), why))

    def _begin(self, sending: _Sending) -> None:
        location, label = sending.location, sending.manner.label
        if location.peer is not None:
            self._send(*sending)
            return
        place = sending.reply if label is None else _Place(sending, self._never_placed)
        try:
            location.park(Parked(*sending[1:4], place, sending.manner, sending.sender))
        except PartisanError as error:
            self._fail(sending, error)
        else:
            if label is not None:
                self._held[label] = deque()

    def _never_placed(self, sending: _Sending, error: BaseException) -> None:
        self._fail(sending, error)
        self._go_on(sending.manner.label or "")

    def _go_on(self, label: str) -> None:
        """What stood before the others has gone."""
        waiting = self._held.pop(label, None)
        while waiting:
            self._begin(waiting.popleft())
            if label in self._held:
                self._held[label] = waiting
                return

    def _send(
        self,
        location: Location,
        number: int,
        message: bytes,
        buffers: Any,
        reply: Reply[Any] | None,
        manner: Manner,
        sender: int,
    ) -> None:
        peer, affinity = location.peer, location.affinity ^ sender
        assert peer is not None, "it was asked for"
        if reply is not None and reply.done():
            return  # whoever waited does not any more
        if manner.transitive is not None:
            message = Transitive(message) if manner.transitive else DirectOnly(message)
        try:
            if not manner.is_acked:
                if reply is not None:
                    peer.pending[number] = reply
                peer.router.send_bound(peer, message, buffers, manner.channel, affinity)
            elif reply is None:
                self._delivery.send(
                    peer,
                    message,
                    buffers,
                    manner.channel,
                    affinity,
                    label=manner.label,
                    given_up=lambda error: self._system.dead_letter(
                        location, parcel_or_method(message, buffers), error
                    ),
                )
            elif peer.is_self:
                peer.pending[number] = reply
                peer.send_large(message, buffers or (), manner.channel, affinity)
            else:
                self._delivery.ask(peer, number, reply, message, buffers, manner.channel, affinity, manner.label)
        except PartisanError as error:
            peer.pending.pop(number, None)
            if reply is not None:
                reply.fail(error)
            else:
                self._system.dead_letter(location, parcel_or_method(message, buffers), error)

    def forget(self, location: Location, number: int) -> None:
        """Nobody waits for the answer to that question any more."""
        if location.peer is not None:
            self._delivery.forget_question(location.peer, number)

    def _fail(self, sending: _Sending, error: BaseException) -> None:
        if sending.reply is not None:
            sending.reply.fail(error)
        else:
            message = parcel_or_method(sending.message, sending.buffers)
            self._system.dead_letter(sending.location, message, error)

    # ---- in -------------------------------------------------------------------------------------------------------

    def on_tell_acked(self, peer: Any, m: list[Any], buffers: Any = None) -> None:
        """A tell arrived whose sender waits until it is in the mailbox. Raises ProtocolError for what is no tell."""
        _, number, tell = m
        if tell[0] not in _TELLS:
            raise ProtocolError(f"an acknowledged tell of kind {tell[0]}")
        asker: Any = peer.without_label() if isinstance(peer, AckedPeer) else peer
        key, method = tell[1], tell[2]
        cell = self._system.cells.get(key)
        if cell is None:
            self._system.refuse(asker, number, key, method)
            return
        if isinstance(cell, Cell):
            if method not in cell.definition.interface.methods:
                cell.deliver(asker, number, method, ())  # which says so
                return
            error = _refusal(cell)
            if error is not None:
                self._system.reply_error(asker, number, error)
                return
        handler = self._system.dispatch[tell[0]]
        handler(peer, tell) if buffers is None else handler(peer, tell, buffers)
        self._system.reply_value(asker, number, None, CALLS)

    def _refuse_label(self, peer: Any, message: list[Any], label: str) -> None:
        error = ConfigError("causal", label, f"a label that node {self._system.me.name} has, too (causal_labels)")
        if message[0] in _QUESTIONS:
            self._system.reply_error(peer, message[1], error)
        else:
            self._system.dead_letter("an actor here", "tell", error, peer.node.name)


def _refusal(cell: Cell) -> PartisanError | None:
    """Why a message does not come into the mailbox, if so."""
    if cell.state not in (ALIVE, STARTING):
        return cell.cause or end_of(str(cell), cell.reason)
    if cell.mailbox_size >= cell.options.mailbox_max:
        return MailboxFull(str(cell), cell.options.mailbox_max)
    return None
