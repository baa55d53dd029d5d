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
from partisan_actors.telemetry.context import SAMPLED, TraceContext
from partisan_actors.telemetry.meters import NEVER_QUICK, Meter
from partisan_actors.telemetry.quick_records import served_site
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

if TYPE_CHECKING:
    from partisan_actors.ids import NodeId
    from partisan_actors.node.router import Peer

__all__ = ["TINY", "TakingTraced"]

# Of how many nodes' calls what is the same for all is kept, for one actor.
CALLERS_MAX: Final = 64

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
        _sites: dict[NodeId, tuple[str, dict[str, str]]] | None

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

    def call_with_extras(self, peer: Peer, m: list[Any]) -> None:
        """A call with extras, ``[kind, number, key, method, extras, *arguments]``, which may be that it is traced."""
        name, meta = m[3], m[4]
        recorder, stepper = self.system.recorder, self.stepper
        meter = self._quick.get(name, NEVER_QUICK)
        if (
            not meter.left
            or self._is_closed
            or self.mailbox
            or (stepper.active and len(stepper.active) >= self._concurrency)
            or (self._inbox is not None and self.is_blocked())
            or not recorder.is_quick
            or self.options.tracing is not None
            or len(meta) != 1
            or type(wire := meta.get("tc")) is not bytes
            or (trace := recorder.serve(wire)) is None
            or not trace.flags & SAMPLED
        ):
            self.deliver(peer, m[1], name, m[5:], None, meta)
            return
        meter.left -= 1
        arrived_ns = recorder.clock()
        try:
            method = getattr(self.instance, name)
            coroutine = method(m[5]) if len(m) == 6 else method(*m[5:])
        except BaseException as error:  # noqa: BLE001 - arguments that do not fit, or a decorator of the user's
            self.finished(self._traced(peer, m, trace, arrived_ns), None, error)
            return
        steps = stepper.steps
        step = steps.spare or steps.make_spare()
        loop = steps.loop
        context = self._copy_context()
        context.run(recorder.enter, trace)
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
                    self.finished(self._traced(peer, m, trace, arrived_ns), value, None)
                else:
                    self.processed += 1
                    caller, sites = self._caller(peer)
                    site = sites.get(name) or self._site(sites, name)
                    recorder.record_quick((*trace, site, arrived_ns, m[1], caller, recorder.clock()))
            else:
                self.finished(self._traced(peer, m, trace, arrived_ns), value, None)
        except BaseException as error:  # noqa: BLE001 - user code: whatever it raises is the caller's
            leave_task(loop, step)
            steps.retire(step)
            self.finished(self._traced(peer, m, trace, arrived_ns), None, error)
        else:
            leave_task(loop, step)
            step.adopt(stepper, self._traced(peer, m, trace, arrived_ns), coroutine, context, yielded)

    def _traced(self, peer: Peer, m: list[Any], trace: TraceContext, arrived_ns: int) -> Message:
        meta = m[4]
        meta["context"] = trace
        meta["arrived"] = meta["dequeued"] = arrived_ns
        return Message(peer, m[1], self.definition.interface.methods[m[3]], m[5:], None, meta)

    def _caller(self, peer: Peer) -> tuple[str, dict[str, str]]:
        known = self._sites
        if known is None or len(known) > CALLERS_MAX:
            known = self._sites = {}
        caller = known.get(peer.node)
        if caller is None:
            caller = known[peer.node] = (str(peer.node), {})
        return caller

    def _site(self, sites: dict[str, str], method: str) -> str:
        definition = self.definition
        class_name, channel = definition.interface.class_name, CALLS
        site = sites[method] = served_site(self.actor, class_name, method, channel, definition.cls, self.options.name)
        return site
