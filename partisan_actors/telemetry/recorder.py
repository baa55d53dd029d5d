"""The recorder: where the runtime writes down what happened, at the price of a tuple and an append.

One per node. The order of a traced call is::

    context = recorder.begin()                    # caller: child of the current span, or a new root
    wire = context.pack()                         # travels with the message, sampled or not
    ...
    if context.flags & SAMPLED:
        recorder.record(AskFinished(context, started_ns, recorder.clock(), ...))

    context = recorder.child_of(TraceContext.unpack(wire))     # callee
    attachment = recorder.attach(context)         # calls made inside, and users' own spans, become its children
    ...                                           # user code
    recorder.detach(attachment)

The caller asks `enabled` (and `hops_enabled` for relays) before anything else; when it is False nothing here is called.
Safe from any thread. After a fork the child's recorder is empty and draws other ids than its parent.
"""

from __future__ import annotations

import os
import random
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import Token
from typing import Final

from partisan_actors.telemetry.context import RANDOM_TRACE_ID, SAMPLED, TraceContext, current_context
from partisan_actors.telemetry.records import Record
from partisan_actors.telemetry.sampler import ALWAYS_ON, Sampler
from partisan_actors.telemetry.user_spans import UserSpans

__all__ = ["RECORDS_MAX", "Attachment", "Recorder"]

# At about 600 bytes a record this is 20 MB, and a third of a second of the fastest traced calls.
RECORDS_MAX: Final = 32_768

_TRACE_ID_BITS: Final = 128
_SPAN_ID_BITS: Final = 64


# What `Recorder.attach` changed, for `Recorder.detach` to put back.
Attachment = tuple[Token[TraceContext | None], object]


class Recorder:
    """A bounded buffer of records, and the source of trace and span ids.

    When `records_max` records wait, new ones are dropped and counted in `dropped`: the older ones complete traces
    that are already half exported. `clock` must never go back, `wall_clock` gives Unix time, both in nanoseconds;
    `random_bits(n)` gives n random bits.
    """

    __slots__ = (
        "__weakref__",
        "_follows_parent",
        "_random_bits",
        "_records",
        "_records_max",
        "_sampler",
        "_users",
        "clock",
        "dropped",
        "enabled",
        "hops_enabled",
        "wall_clock",
    )

    def __init__(
        self,
        *,
        enabled: bool = False,
        hops_enabled: bool = False,
        sampler: Sampler = ALWAYS_ON,
        clock: Callable[[], int] = time.monotonic_ns,
        wall_clock: Callable[[], int] = time.time_ns,
        random_bits: Callable[[int], int] | None = None,
        records_max: int = RECORDS_MAX,
    ) -> None:
        self.enabled = enabled
        self.hops_enabled = hops_enabled
        self.clock = clock
        self.wall_clock = wall_clock
        self.dropped = 0
        self._sampler = sampler
        self._follows_parent = sampler.follows_parent
        self._records: deque[Record] = deque()
        self._records_max = records_max
        self._users = UserSpans()
        if random_bits is None:
            generator = random.Random()
            random_bits = generator.getrandbits
            os.register_at_fork(after_in_child=_after_fork(weakref.ref(self), weakref.ref(generator)))
        self._random_bits = random_bits

    def configure(self, *, enabled: bool, hops_enabled: bool = False, sampler: Sampler = ALWAYS_ON) -> None:
        """Switch recording on or off; calls that are under way keep the context they began with."""
        self._sampler = sampler
        self._follows_parent = sampler.follows_parent
        self.hops_enabled = enabled and hops_enabled
        self.enabled = enabled

    def current(self) -> TraceContext | None:
        """The innermost span this code runs under: ours, or one the user opened with OpenTelemetry."""
        return self._users.innermost(current_context.get())

    def begin(self) -> TraceContext:
        """The context of a new span under the current one; a new root, decided by the sampler, when there is none."""
        return self.child_of(self._users.innermost(current_context.get()))

    def child_of(self, parent: TraceContext | None) -> TraceContext:
        """The context of a new span under `parent`, which may have come from another node.

        A parent that is not sampled is its own child: no span will be made, so none is named.
        """
        if parent is None:
            return self._root()
        trace_id, parent_span_id, flags, _, trace_state = parent
        if not self._follows_parent:
            flags = flags & ~SAMPLED | self._sampler.samples(trace_id)
        if not (flags | parent.flags) & SAMPLED:
            return parent
        # As in TraceContext.unpack: the same value for half the time.
        fields = (trace_id, self._random_bits(_SPAN_ID_BITS) or 1, flags, parent_span_id, trace_state)
        return tuple.__new__(TraceContext, fields)

    def linked_root(self, cause: TraceContext) -> TraceContext:
        """The context of a new trace, sampled exactly when `cause` is; give `cause` to the record as its link."""
        flags = RANDOM_TRACE_ID | cause.flags & SAMPLED
        return TraceContext(self._random_bits(_TRACE_ID_BITS) or 1, self.new_span_id(), flags)

    def new_span_id(self) -> int:
        """A random span id; never 0, which means "none"."""
        return self._random_bits(_SPAN_ID_BITS) or 1

    def record(self, record: Record) -> None:
        """Keep `record` until it is taken, or count it as dropped. Only records of sampled contexts belong here."""
        records = self._records
        if len(records) >= self._records_max:
            self.dropped += 1  # from several threads at once a few may be missed; the log line says "about"
            return
        records.append(record)

    def take(self, records_max: int) -> list[Record]:
        """Remove and return up to `records_max` records, the oldest first. For one reader only."""
        records = self._records
        return [records.popleft() for _ in range(min(records_max, len(records)))]

    @property
    def waiting(self) -> int:
        """How many records wait to be taken. Not `__len__`: an empty recorder must not be a false value."""
        return len(self._records)

    def attach(self, context: TraceContext) -> Attachment:
        """Make `context` the current one here; when this process has OpenTelemetry loaded, there as well.

        The change belongs to the running `contextvars.Context`. For a coroutine that is stepped in a Context of its
        own, attach once inside it and let it go with the Context; everywhere else `detach` in the same Context.
        """
        return current_context.set(context), self._users.attach(context)

    def detach(self, attachment: Attachment) -> None:
        """Undo `attach`. Attachments are undone in the reverse order of their making."""
        ours, users = attachment
        if users is not None:
            self._users.detach(users)
        current_context.reset(ours)

    def _root(self) -> TraceContext:
        trace_id = self._random_bits(_TRACE_ID_BITS) or 1
        flags = RANDOM_TRACE_ID | SAMPLED if self._sampler.samples(trace_id) else RANDOM_TRACE_ID
        return TraceContext(trace_id, self.new_span_id(), flags)

    def _forget(self) -> None:
        self._records.clear()
        self.dropped = 0


def _after_fork(recorder: weakref.ref[Recorder], generator: weakref.ref[random.Random]) -> Callable[[], None]:
    # Weak, because the interpreter keeps what is registered for ever.
    def in_child() -> None:
        if (live_generator := generator()) is not None:
            live_generator.seed()
        if (live_recorder := recorder()) is not None:
            live_recorder._forget()

    return in_child
