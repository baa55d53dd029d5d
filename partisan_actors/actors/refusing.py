"""What a cell says to those whose messages it does not handle, and how messages are taken back while they wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from partisan_actors.actors.parcels import packed_again
from partisan_actors.actors.reasons import NODE_STOPPED, end_of
from partisan_actors.actors.tracing import refuse_serving
from partisan_actors.errors import MailboxFull
from partisan_actors.telemetry.actor_times import ActorTimes

if TYPE_CHECKING:
    from partisan_actors.actors.actor import Definition
    from partisan_actors.actors.host import Host
    from partisan_actors.actors.mailbox import Inbox, Message
    from partisan_actors.actors.options import CellOptions
    from partisan_actors.actors.stepping import Stepper
    from partisan_actors.errors import PartisanError
    from partisan_actors.ids import ActorId
    from partisan_actors.node.router import Peer
    from partisan_actors.telemetry.meters import ClassMeters, Timing

__all__ = ["STOPPED", "STOPPING", "Refusing"]

STOPPING: Final = "stopping"
STOPPED: Final = "stopped"


class Refusing:
    """A part of `Cell`, which has the state."""

    __slots__ = ("times",)

    if TYPE_CHECKING:
        system: Host
        actor: ActorId
        key: bytes
        meters: ClassMeters
        definition: Definition
        options: CellOptions
        processed: int
        instance: object
        state: str
        reason: str
        cause: PartisanError | None
        mailbox: deque[Message] | tuple[()]
        stepper: Stepper
        # What is known of calls that were timed, once one was.
        times: ActorTimes | None
        runs_alone: bool
        _inbox: Inbox | None

        def send_to_thread(self) -> None:
            """Have the actor's thread look at its inbox."""

    @property
    def is_ending(self) -> bool:
        """Whether those who waited for its replies have been told that there will be none."""
        return self.state in (STOPPING, STOPPED)

    # ---- refusals -------------------------------------------------------------------------------------------------

    def refuse(self, message: Message, error: PartisanError) -> None:
        """Whoever sent it is told that it is not handled, or why it was given up."""
        self.count_error(message)
        if message.meta is not None:
            refuse_serving(self.system.recorder, self, message, error)
        if message.number is not None:
            self.system.reply_error(message.peer, message.number, error)

    def count_error(self, message: Message) -> None:
        """It has failed, or is not handled."""
        self.meters.of(message.number, message.method.name).errors += 1

    def timed(self, timing: Timing, error: BaseException | None) -> None:
        """A message that is timed was handled."""
        if self.times is None:
            self.times = ActorTimes()
        timing.end(error, self.times)

    def overflow(self, message: Message) -> None:
        """There is no room for it."""
        error = MailboxFull(str(self), self.options.mailbox_max)
        self.undelivered(message, error)

    def undelivered(self, message: Message, error: PartisanError) -> None:
        """It is not handled, and has not begun to be. What nobody waits for is a dead letter."""
        self.refuse(message, error)
        if message.number is None and self.reason != NODE_STOPPED:
            told = packed_again(self.key, message.method.name, message.args)
            self.system.dead_letter(self, told, error, message.peer.node.name)

    def refuse_all(self) -> None:
        """The actor ends: what waits is not handled, and who waits for what runs on threads need not any longer."""
        running = self.on_threads()
        for message in self.empty_out():
            if any(each is message for each in running):
                self.refuse(message, self.stopped_error())
            else:
                self.undelivered(message, self.stopped_error())

    def stopped_error(self) -> PartisanError:
        """What those get who call an actor that has ended."""
        return self.cause or end_of(str(self), self.reason)

    def no_method(self, peer: Peer, number: int | None, name: str) -> None:
        """There is no method of that name."""
        error = self.definition.interface.has_no(name)
        if number is not None:
            self.system.reply_failed(peer, number, error, self, name)
        else:
            self.system.dead_letter(self, name, error, peer.node.name)

    # ---- what waits, and what runs --------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, runs, or has a thread to run on. Cheap, unlike a look at all of that."""
        return not (self.mailbox or self.stepper.active or self._inbox is not None)

    def waiting(self) -> list[Message]:
        """The messages that wait, in no order that counts."""
        return [*self.mailbox, *(self._inbox.waiting() if self._inbox is not None else ())]

    def running(self) -> list[Message]:
        """The messages that have begun, and not ended."""
        return [*(message for stepper in self.steppers() for message in stepper.active.values()), *self.on_threads()]

    def take_out(self, is_wanted: Callable[[Message], bool]) -> list[Message]:
        """Take some of the waiting messages out: they are not handled."""
        taken = [message for message in self.mailbox if is_wanted(message)]
        if taken:
            self.mailbox = deque(message for message in self.mailbox if not is_wanted(message)) or ()  # type: ignore[misc]  # Cell has the slot
        if self._inbox is not None and len(self._inbox):
            more, has_claim = self._inbox.take_out(is_wanted)
            taken += more
            if has_claim:
                self.send_to_thread()
        return taken

    def empty_out(self) -> list[Message]:
        """The actor ends: take out what waits, and what runs on threads."""
        messages, self.mailbox = list(self.mailbox), ()  # type: ignore[misc]  # Cell has the slot
        return messages + (self._inbox.empty_out() if self._inbox is not None else [])

    def steppers(self) -> list[Stepper]:
        """What runs its coroutines."""
        return [self.stepper]

    @property
    def has_coroutines(self) -> bool:
        """Whether any of its coroutines is in progress."""
        return any(stepper.active or stepper.held for stepper in self.steppers())

    def on_threads(self) -> list[Message]:
        """The messages that are handled on threads now."""
        running = self._inbox.running if self._inbox is not None else None
        return [running] if running is not None else []
