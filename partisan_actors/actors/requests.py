"""`Request`: a call with extras, which may be sent more than once; and `Retrying`, which does that.

Plain calls do not come here: `Outbound.ask` sends them. What comes here is a generator, a call of a concurrency group,
one that is tried again when it is lost, or one with another number of results than one. The arguments are encoded once,
so every attempt has them as they were at the call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from partisan_actors.actors.cancelling import Cancelling
from partisan_actors.actors.host import Host
from partisan_actors.actors.outbound import Outbound
from partisan_actors.actors.ref import Location
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.sent_refs import SentRefs, has_read, refs_in_message
from partisan_actors.actors.traced_sends import CallTrace, TellTrace
from partisan_actors.actors.tracing import note_failing
from partisan_actors.actors.unready import awaiting
from partisan_actors.errors import (
    ActorStopped,
    ActorUnavailable,
    NodeDown,
    NoRoute,
    TaskCancelled,
    TaskFailed,
    Unacknowledged,
)
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import INLINE_BYTES_MAX, Kind
from partisan_actors.wire.payload import KeptBuffers, encode_call, is_scalars

if TYPE_CHECKING:
    from partisan_actors.actors.consuming import Incoming

__all__ = ["Request", "Retrying"]

# Between two attempts: a node that was lost is not asked again at once.
RETRY_FIRST_S: Final = 0.05
RETRY_MOST_S: Final = 2.0


class Request:
    """One call of a method, as it was made. Raises SerializationError for arguments that cannot be sent."""

    def __init__(
        self,
        outbound: Outbound,
        location: Location,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        extras: dict[str, Any],
        channel: str = CALLS,
        timeout_s: float | None = None,
        partition: int | None = None,
    ) -> None:
        self.location = location
        self.method = method
        self._outbound = outbound
        self.next_number = outbound.next_number
        self._extras = extras
        self._how = (awaiting(location, method, args, kwargs, channel, group="group" in extras), timeout_s, partition)
        self._refs = SentRefs()
        self._scalars = args if not kwargs and is_scalars(args) else None
        # Whether somebody looks after it who may send it again, and says when it is over.
        self.is_retried = False
        # Where the items of a generator go.
        self.incoming: Incoming | None = None
        self._trace: CallTrace | None = None
        self._timed: Callable[[BaseException | None], None] | None = None
        self._body = b""
        self._buffers: KeptBuffers = KeptBuffers(())
        if self._scalars is None:
            token = refs_in_message.set(self._refs)
            try:
                payload = encode_call(args, kwargs, f"the arguments of {location.class_name}.{method}")
            finally:
                refs_in_message.reset(token)
            self._body, self._buffers = payload.body, KeptBuffers.of(payload)

    def __str__(self) -> str:
        return f"the call of {self.method} of {self.location}"

    def send(self, reply: Reply[Any], number: int, attempt: int) -> None:
        """Send it; from any thread."""
        channel, timeout_s, partition = self._how
        meta = {**self._extras, "attempt": attempt} if attempt > 1 else dict(self._extras)
        trace = self._begin_trace(number, attempt)
        if attempt == 1:
            self._timed = self._outbound.sent.begin(self.location.class_name, self.method)
        if trace is not None:
            meta.update(trace.meta())
        if not self.is_retried:
            reply.add_waiter(lambda: self.ended(reply.failure))
        message, buffers = self._encoded(number, meta)
        if trace is not None and attempt == 1:
            trace.encoded(message, buffers)
        self._outbound.dispatch(self.location, number, message, buffers, reply, channel, timeout_s, partition)

    def _begin_trace(self, number: int, attempt: int) -> CallTrace | None:
        """All attempts are one span; each that is served is a child of it."""
        recorder, location = self._outbound.host.recorder, self.location
        if attempt == 1 and recorder.enabled and (context := recorder.begin_traced(location.tracing)) is not None:
            self._trace = CallTrace(self._outbound.host, context, location, self.method, self._how[0], number)
            if self.incoming is not None:
                self.incoming.count_bytes()
        if self._trace is not None:
            self._trace.attempt = attempt
        return self._trace

    def failed_once(self, error: BaseException) -> None:
        """An attempt has failed, and there will be another one."""
        if self._trace is not None:
            note_failing(self._outbound.host, self.location.actor, self._trace.context, error)

    def ended(self, error: BaseException | None) -> None:
        """It is answered for good. The span of a stream goes on until its last item is here, too."""
        trace, timed = self._trace, self._timed
        if timed is not None:
            timed(error)
        if trace is not None:
            if self.incoming is None:
                trace.finished(error)
            else:
                self.incoming.when_over(partial(trace.finished, error, self.incoming))

    def tell(self) -> None:
        """Send it as a tell; from any thread."""
        channel, _, partition = self._how
        meta, host = dict(self._extras), self._outbound.host
        self._outbound.sent.tell(self.location.class_name, self.method)
        trace = None
        if host.recorder.enabled and (context := host.recorder.begin_traced(self.location.tracing)) is not None:
            trace = TellTrace(host, context, self.location, self.method, channel, self._outbound.next_number())
            meta.update(trace.meta())
        head = [self.location.key, self.method, meta]
        if self._scalars is not None:
            message: bytes = pack([Kind.TELL_META, *head, *self._scalars])
            buffers: list[Any] | None = None
        else:
            message, buffers = self._with_payload([Kind.TELL_PICKLED, *head])
        self._outbound.dispatch(self.location, 0, message, buffers, None, channel, None, partition)
        if trace is not None:
            trace.encoded(message, buffers)
            trace.sent()

    def _encoded(self, number: int, meta: dict[str, Any]) -> tuple[bytes, list[Any] | None]:
        key, method = self.location.key, self.method
        if self._scalars is not None:
            return pack([Kind.CALL_META, number, key, method, meta, *self._scalars]), None
        return self._with_payload([Kind.CALL_PICKLED, number, key, method, meta])

    def _with_payload(self, head: list[Any]) -> tuple[bytes, list[Any] | None]:
        if len(self._body) <= INLINE_BYTES_MAX:
            return pack([*head, self._body]), list(self._buffers) or None
        return pack([*head, None]), [self._body, *self._buffers]

    def release(self, *, is_read_once: bool) -> None:
        """It is answered for good: refs among its arguments need not be kept for it any more.

        `is_read_once`: it was sent once, and read by whoever has answered.
        """
        peer = self.location.peer
        self._refs.release(peer.node if is_read_once and peer is not None else None)


class Retrying:
    """Sends a request until it has an answer that stands; `finish(value, error)` gets that, on the loop.

    `before(number)` is told of each attempt before it is sent.
    """

    def __init__(
        self,
        host: Host,
        request: Request,
        finish: Callable[[Any, BaseException | None], None],
        retries: int,
        retry_exceptions: bool | tuple[type[BaseException], ...],
        before: Callable[[int], None] | None = None,
    ) -> None:
        self._host = host
        self._request = request
        request.is_retried = True
        self._finish = finish
        self._retries = retries
        self._kinds: tuple[type[BaseException], ...] = ()
        if retry_exceptions is not False:
            self._kinds = (Exception,) if retry_exceptions is True else tuple(retry_exceptions)
        self._before = before
        self._attempt = 0
        self._is_over = False
        # The reply that is awaited now; None between two attempts.
        self.reply: Reply[Any] | None = None

    def start(self) -> None:
        """Send it for the first time; from any thread."""
        number = self._request.next_number()
        if self._before is not None:
            self._before(number)
        self._attempt += 1
        reply: Reply[Any] = Reply(self._host.loop)
        self.reply = reply
        reply.add_waiter(lambda: self._ended(reply))
        self._request.send(reply, number, self._attempt)

    def cancel(self, recursive: bool) -> None:
        """End it, wherever it is, and do not try it again. On the loop."""
        self._retries, self._kinds = 0, ()
        if self.reply is not None:
            cancelling: Cancelling = self._host.extensions["cancelling"]
            cancelling.cancel(self.reply, recursive)
        else:
            self._end(None, TaskCancelled(str(self._request)))

    def _ended(self, reply: Reply[Any]) -> None:
        if get_ident() != self._host.thread_id:
            self._host.post(self._ended, reply)  # it failed before it left the caller's thread
            return
        error = reply.exception()
        if error is not None and self._may_retry(error):
            self._request.failed_once(error)
            self.reply = None
            delay = min(RETRY_FIRST_S * 2 ** (self._attempt - 1), RETRY_MOST_S)
            self._host.loop.call_later(delay, self._again)
        else:
            self._end(reply.result() if error is None else None, error)

    def _again(self) -> None:
        if not self._is_over:
            self.start()

    def _may_retry(self, error: BaseException) -> bool:
        if 0 <= self._retries < self._attempt or self._request.location.error is not None:
            return False
        if isinstance(error, TaskFailed):
            return isinstance(error, self._kinds) and not isinstance(error, (ActorStopped, TaskCancelled))
        return isinstance(error, (ActorUnavailable, NodeDown, NoRoute, Unacknowledged))

    def _end(self, value: Any, error: BaseException | None) -> None:
        if not self._is_over:
            self._is_over = True
            self._request.ended(error)
            self._request.release(is_read_once=self._attempt == 1 and has_read(error))
            self._finish(value, error)
