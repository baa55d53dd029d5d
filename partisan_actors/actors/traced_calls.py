"""Traced calls of a cell on their usual way: begun, answered and written down in one go, as `Cell.call` does others.

The steps are those of `Cell.call`, written out again: a function for both would cost each plain call one more call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from sys import getrefcount
from typing import TYPE_CHECKING, Any, Final

from partisan_actors.actors.mailbox import Message
from partisan_actors.actors.refusing import Refusing
from partisan_actors.actors.stepping import UNSHARED, enter_task, leave_task
from partisan_actors.errors import PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.telemetry.context import CONTEXT_BYTES, SAMPLED
from partisan_actors.telemetry.meters import NEVER_QUICK, Meter
from partisan_actors.telemetry.quick_records import ServedSite, context_of, has_ids
from partisan_actors.telemetry.roots import SPAN_ID_BITS
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

if TYPE_CHECKING:
    from partisan_actors.node.router import Peer

__all__ = ["NO_SITES", "TINY", "TakingTraced"]

# Of how many nodes' calls what is the same for all is kept, for one actor.
CALLERS_MAX: Final = 64
# Of an actor that was not called so.
NO_SITES: Final[dict[NodeId, dict[str, ServedSite]]] = {}

TINY: Final = frozenset({int, float, bool, type(None)})
_REPLY: Final = Kind.REPLY


class TakingTraced(Refusing):
    """A part of `Cell`, which has the state."""

    if TYPE_CHECKING:
        processed: int
        _concurrency: int
        _copy_context: Callable[[], Context]
        _is_closed: bool
        _quick: dict[str, Meter]
        _sites: dict[NodeId, dict[str, ServedSite]]

        def deliver(
            self,
            peer: Peer,
            number: int | None,
            name: str,
            args: Any,
            kwargs: dict[str, Any] | None = None,
            meta: dict[str, Any] | None = None,
        ) -> None:
            """A call arrived."""

        def finished(self, message: Message, value: Any, error: BaseException | None) -> None:
            """A message was handled."""

        def is_blocked(self) -> bool:
            """Whether a blocking method runs, or is about to."""

    else:  # a type checker would miss those of `Cell` here
        __slots__ = ("_sites",)

    def call_traced(self, peer: Peer, m: list[Any]) -> None:
        """A plain call with nothing but its context, ``[kind, number, key, method, context, *arguments]``."""
        name, wire = m[3], m[4]
        recorder, stepper = self.system.recorder, self.stepper
        meter = self._quick.get(name, NEVER_QUICK)
        left, place = meter.left, recorder.quick_place
        if (
            not left
            or self._is_closed
            or self.mailbox
            or (stepper.active and len(stepper.active) >= self._concurrency)
            or (self._inbox is not None and self.is_blocked())
            or place is None
            or self.options.tracing is not None
            or len(wire) != CONTEXT_BYTES  # and what else `is_quick_wire` asks
            or wire[0]
            or not wire[-1] & SAMPLED
            or not ((wire[1] and wire[17]) or has_ids(wire))
        ):
            self.deliver(peer, m[1], name, m[5:], None, {"tc": wire})
            return
        meter.left = left - 1
        arrived_ns, span_id = recorder.clock(), recorder.random_bits(SPAN_ID_BITS)
        try:
            method = getattr(self.instance, name)
            coroutine = method(m[5]) if len(m) == 6 else method(*m[5:])
        except BaseException as error:  # noqa: BLE001 - arguments that do not fit, or a decorator of the user's
            self.finished(self._traced(peer, m, span_id, arrived_ns), None, error)
            return
        steps = stepper.steps
        step = steps.spare or steps.make_spare()
        loop = steps.loop
        span = place.make()
        span.wire, span.span_id = wire, span_id
        context = self._copy_context()
        context.run(place.enter, span)
        enter_task(loop, step)
        try:
            yielded = context.run(coroutine.send, None)
        except StopIteration as stop:
            leave_task(loop, step)
            value = stop.value
            if getrefcount(step) > UNSHARED:
                steps.retire(step)
            connection = peer.calls
            if type(value) in TINY and connection is not None and not self._is_closed:
                try:
                    connection.send(pack([_REPLY, m[1], value]))
                except (OverflowError, PartisanError):  # beyond 64 bits, or a caller that does not read
                    self.finished(self._traced(peer, m, span_id, arrived_ns), value, None)
                else:
                    self.processed += 1
                    sites = self._sites.get(peer.node)
                    site = sites.get(name) if sites is not None else None
                    if site is None:
                        site = self._site(peer, name)
                    if len(recorder.records) < recorder.room:  # as `record_quick` does
                        recorder.records.extend((site, wire, span_id, arrived_ns, recorder.clock(), m[1]))
                    else:
                        recorder.dropped += 1
            else:
                self.finished(self._traced(peer, m, span_id, arrived_ns), value, None)
        except BaseException as error:  # noqa: BLE001 - user code: whatever it raises is the caller's
            leave_task(loop, step)
            steps.retire(step)
            self.finished(self._traced(peer, m, span_id, arrived_ns), None, error)
        else:
            leave_task(loop, step)
            step.adopt(stepper, self._traced(peer, m, span_id, arrived_ns), coroutine, context, yielded)

    def _traced(self, peer: Peer, m: list[Any], span_id: int, arrived_ns: int) -> Message:
        wire = m[4]
        context = context_of(wire, span_id)
        meta = {"tc": wire, "context": context, "arrived": arrived_ns, "dequeued": arrived_ns}
        return Message(peer, m[1], self.definition.interface.methods[m[3]], m[5:], None, meta)

    def _site(self, peer: Peer, method: str) -> ServedSite:
        """What is the same of all calls of that method from that node."""
        if self._sites is NO_SITES or len(self._sites) >= CALLERS_MAX:
            self._sites = {}
        sites = self._sites.setdefault(peer.node, {})
        definition = self.definition
        class_name = definition.interface.class_name
        function = f"{definition.cls.__module__}.{class_name}.{method}"
        site = ServedSite(self.actor, class_name, method, CALLS, peer.node, function, self.options.name)
        sites[method] = site
        return site
