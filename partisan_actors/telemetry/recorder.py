"""The recorder: where the runtime writes down what happened, at the price of a tuple and an append.

One per node. The order of a traced call is::

    context = recorder.begin_traced()             # caller: child of the current span, or a new root; None: not traced
    wire = context.pack()                         # travels with the message
    ...
    recorder.finish(AskFinished(context, started_ns, recorder.clock(), ...))

    context = recorder.child_of(TraceContext.unpack(wire))     # callee
    attachment = recorder.attach(context)         # calls made inside, and users' own spans, become its children
    ...                                           # user code
    recorder.detach(attachment)

The caller asks `enabled` (and `hops_enabled` for relays) before anything else; when it is False nothing here is called.
What is not traced sends no context, so that it costs what it would without tracing. Where not all is traced, actors and
tasks run under NOT_SAMPLED unless their message has a context: what they call is not taken for a new trace then.
Safe from any thread. After a fork the child's recorder is empty and draws other ids than its parent.
"""

from __future__ import annotations

import math
import os
import random
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import Token
from sys import modules
from typing import Any, Final

from partisan_actors.telemetry.context import (
    CONTEXT_BYTES,
    LATE,
    NOT_SAMPLED,
    RANDOM_TRACE_ID,
    SAMPLED,
    TraceContext,
    current_context,
    unpack_layout,
)
from partisan_actors.telemetry.late import Late
from partisan_actors.telemetry.options import CALLS, FULL, HOPS, OFF, TracingOptions
from partisan_actors.telemetry.records import Record
from partisan_actors.telemetry.sampler import ALWAYS_ON, RateLimit, Sampler
from partisan_actors.telemetry.user_spans import OPENTELEMETRY, UserSpans

__all__ = ["RECORDS_MAX", "Attachment", "Recorder"]

# At about 600 bytes a record this is 20 MB, and a third of a second of the fastest traced calls.
RECORDS_MAX: Final = 32_768

_TRACE_ID_BITS: Final = 128
_SPAN_ID_BITS: Final = 64
_LOW_64: Final = (1 << 64) - 1
_TWO_64: Final = float(1 << 64)
_FLOAT_BITS: Final = 53
_PASSED_OVER_MAX: Final = 1 << 40


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
        "_late",
        "_limit",
        "_passed_over",
        "_random_bits",
        "_records",
        "_sampler",
        "_users",
        "clock",
        "dropped",
        "enabled",
        "export_failed",
        "exported",
        "full_enabled",
        "hops_enabled",
        "inherited",
        "lifecycle_enabled",
        "links_tells",
        "objects_enabled",
        "overlay_enabled",
        "records_max",
        "unasked",
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
        self.full_enabled = False
        self.lifecycle_enabled = self.objects_enabled = enabled
        self.overlay_enabled = False
        self.links_tells = False
        # What this process runs under as a whole: whoever started it has said so.
        self.inherited: TraceContext | None = None
        # What a message without a context is handled under.
        self.unasked: TraceContext | None = None
        self._late: Late | None = None
        self._limit: RateLimit | None = None
        self._passed_over = 0  # of the traces that begin here, before the next that is sampled
        self.clock = clock
        self.wall_clock = wall_clock
        self.dropped = 0
        # Spans that exporters of ours have handed over, or have not been able to; counted by their own threads.
        self.exported = 0
        self.export_failed = 0
        self._sampler = sampler
        self._follows_parent = sampler.follows_parent
        self._records: deque[Record] = deque()
        self.records_max = records_max
        self._users = UserSpans()
        if random_bits is None:
            generator = random.Random()
            random_bits = generator.getrandbits
            os.register_at_fork(after_in_child=_after_fork(weakref.ref(self), weakref.ref(generator)))
        self._random_bits = random_bits

    def configure(
        self,
        *,
        enabled: bool,
        hops_enabled: bool = False,
        sampler: Sampler = ALWAYS_ON,
        options: TracingOptions | None = None,
    ) -> None:
        """Switch recording on or off; calls that are under way keep the context they began with.

        `options` say what is recorded, but for where relays are: that is `hops_enabled`, or their level.
        """
        options = options or TracingOptions(level=HOPS if hops_enabled else CALLS)
        self._sampler = sampler
        self._follows_parent = sampler.follows_parent
        self._passed_over = self._draw_passed_over(sampler.ratio) if sampler.ratio < 1.0 else 0
        rate = options.traces_per_second
        self._limit = RateLimit(rate, self.clock()) if rate is not None else None
        self._late = Late.of(options)
        is_thinned = sampler.ratio < 1.0 or self._limit is not None
        self.unasked = NOT_SAMPLED if enabled and is_thinned else None
        self.links_tells = options.tell_correlation == "link"
        self.full_enabled = enabled and options.level == FULL
        self.hops_enabled = enabled and options.level in (HOPS, FULL)
        self.lifecycle_enabled = enabled and "lifecycle" in options.scopes
        self.objects_enabled = enabled and "objects" in options.scopes
        self.overlay_enabled = enabled and "overlay" in options.scopes
        self.enabled = enabled and "calls" in options.scopes

    def current(self) -> TraceContext | None:
        """The innermost span this code runs under: ours, or one the user opened with OpenTelemetry."""
        return self._users.innermost(current_context.get())

    def begin(self) -> TraceContext:
        """The context of a new span under the current one; a new root, decided by the sampler, when there is none."""
        return self.child_of(self._users.innermost(current_context.get()) or self.inherited)

    def begin_traced(self, override: object = None) -> TraceContext | None:
        """As `begin`; None when it is not to be traced, and no context is to be sent.

        `override` is what its class says: "off", or the share of the traces that begin here. What may be kept late has
        a context that is not sampled, for `finish`.
        """
        parent = current_context.get()
        if OPENTELEMETRY in modules:
            parent = self._users.innermost(parent)
        if override is not None and override == OFF:
            return None
        if parent is None:
            parent = self.inherited
            if parent is None:
                return self._begin_root(override)
        if parent.flags & SAMPLED or not self._follows_parent:
            child = self.child_of(parent)
            if child.flags & SAMPLED:
                return child
        if self._late is None:
            return None
        if not parent.trace_id:
            return TraceContext(self._random_bits(_TRACE_ID_BITS) or 1, self.new_span_id(), RANDOM_TRACE_ID)
        return parent._replace(span_id=self.new_span_id(), parent_span_id=parent.span_id, flags=parent.flags & ~SAMPLED)

    def _begin_root(self, override: object) -> TraceContext | None:
        if override is None and self._passed_over > 0:
            self._passed_over -= 1
            is_sampled, bits = False, self._random_bits
        else:
            bits = self._random_bits
            trace_id = bits(_TRACE_ID_BITS) or 1
            if override is None:
                # Which of the traces to come are sampled was drawn before; this one gets an id for which any sampler of
                # that ratio decides the same.
                ratio = self._sampler.ratio
                is_sampled = ratio > 0.0
                if ratio < 1.0:
                    self._passed_over = self._draw_passed_over(ratio)
                    low = (trace_id & _LOW_64) * self._sampler.bound >> _SPAN_ID_BITS
                    trace_id = (trace_id & ~_LOW_64 | low) or 1
                is_sampled = is_sampled and (self._limit is None or self._limit.takes(self.clock()))
            else:
                is_sampled = self._samples_root(trace_id, override)
        if not is_sampled:
            if self._late is None:
                return None
            trace_id = bits(_TRACE_ID_BITS) or 1
        # As in TraceContext.unpack: the same value for half the time.
        flags = RANDOM_TRACE_ID | is_sampled
        return tuple.__new__(TraceContext, (trace_id, bits(_SPAN_ID_BITS) or 1, flags, 0, ""))

    def _draw_passed_over(self, ratio: float) -> int:
        """How many traces are not sampled before the next one is: to draw that costs less than to draw for each."""
        if ratio <= 0.0:
            return _PASSED_OVER_MAX
        chance = self._random_bits(_FLOAT_BITS) / (1 << _FLOAT_BITS)
        return min(int(math.log1p(-chance) / math.log1p(-ratio)), _PASSED_OVER_MAX)

    def _samples_root(self, trace_id: int, override: object) -> bool:
        if isinstance(override, float):
            is_sampled = (trace_id & _LOW_64) < override * _TWO_64
        else:
            is_sampled = self._sampler.samples(trace_id)
        return is_sampled and (self._limit is None or self._limit.takes(self.clock()))

    def new_trace(self) -> TraceContext | None:
        """The context of a trace with nothing before it, whatever runs here; None when it is not sampled."""
        root = self._root()
        return root if root.flags & SAMPLED else None

    def serve(self, wire: bytes) -> TraceContext | None:
        """The context in which a message is handled that came with one; None when that is not traced."""
        if len(wire) == CONTEXT_BYTES and wire[-1] & SAMPLED and not wire[0] and self._follows_parent:
            # The usual case, spelled out: what `unpack` and `child_of` would do.
            _, high, low, span_id, flags = unpack_layout(wire)
            trace_id = high << 64 | low
            if trace_id and span_id:
                fields = (trace_id, self._random_bits(_SPAN_ID_BITS) or 1, flags, span_id, "")
                return tuple.__new__(TraceContext, fields)
        parent = TraceContext.unpack(wire)
        if parent is None:
            return None
        context = self.child_of(parent)
        if not context.flags & SAMPLED and self._late is not None:
            return context._replace(span_id=self.new_span_id(), parent_span_id=parent.span_id)
        return context

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

    def finish(self, record: Record) -> None:
        """Keep `record` if it is sampled, or if something has come of it that is kept late."""
        context = record.context
        if context.flags & SAMPLED:
            records = self._records
            if len(records) < self.records_max:  # as `record` does it
                records.append(record)
            else:
                self.dropped += 1
        elif self._late is not None and self._late.keeps(record):
            self.record(record._replace(context=context._replace(flags=context.flags | SAMPLED | LATE)))

    def record(self, record: Record) -> None:
        """Keep `record` until it is taken, or count it as dropped. Only records of sampled contexts belong here."""
        records = self._records
        if len(records) >= self.records_max:
            self.dropped += 1  # from several threads at once a few may be missed; the log line says "about"
            return
        records.append(record)

    def take(self, records_max: int) -> list[Record]:
        """Remove and return up to `records_max` records, the oldest first. For one reader only."""
        records = self._records
        return [records.popleft() for _ in range(min(records_max, len(records)))]

    def facts(self) -> dict[str, Any]:
        """What has become of what was recorded, as plain data."""
        return {
            "enabled": self.enabled,
            "waiting": self.waiting,
            "dropped": self.dropped,
            "exported": self.exported,
            "export_failed": self.export_failed,
        }

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
        flags = RANDOM_TRACE_ID | SAMPLED if self._samples_root(trace_id, None) else RANDOM_TRACE_ID
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
