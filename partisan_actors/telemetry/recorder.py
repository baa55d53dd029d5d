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

Calls and tells, of which there are most, have numbers, and the gate before them is three comparisons::

    if number >= recorder.due or recorder.under() is not recorder.nothing or override is not None:
        context = recorder.begin_numbered(number, override)

`due` is drawn: the number of the next one that begins a trace of its own. `under` says what runs here; only what is not
`nothing` is looked at.
Safe from any thread. After a fork the child's recorder is empty and draws other ids than its parent.
"""

from __future__ import annotations

import os
import random
import time
import weakref
from collections.abc import Callable
from contextvars import Token
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
from partisan_actors.telemetry.options import CALLS, FULL, HOPS, OFF, TRACES_PER_SECOND, TracingOptions
from partisan_actors.telemetry.quick_records import FIELDS, AskedSite, Flat, ServedSite, entries_of, flat, in_full
from partisan_actors.telemetry.records import Record
from partisan_actors.telemetry.roots import EACH, NEVER, SPAN_ID_BITS, TRACE_ID_BITS, UNDRAWN, Roots
from partisan_actors.telemetry.sampler import ALWAYS_ON, RateLimit, Sampler
from partisan_actors.telemetry.user_spans import QuickPlace, UserSpans

__all__ = ["RECORDS_MAX", "Attachment", "Recorder"]

# At 250 bytes a quick record this is 16 MB, and a quarter of a second of the fastest traced calls; others have 600.
RECORDS_MAX: Final = 65_536

# A root that is sampled, but for its random ids: the version before them, and the flags behind.
_ROOT_BITS: Final = TRACE_ID_BITS + SPAN_ID_BITS
_ROOT_FLAGS: Final = RANDOM_TRACE_ID | SAMPLED


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
        "_begins_all",
        "_follows_parent",
        "_has_unshared",
        "_inherited",
        "_is_refreshed",
        "_late",
        "_roots",
        "_sampler",
        "_takes_all",
        "_users",
        "clock",
        "dropped",
        "due",
        "enabled",
        "export_failed",
        "exported",
        "full_enabled",
        "hops_enabled",
        "is_quick",
        "lifecycle_enabled",
        "links_tells",
        "nothing",
        "objects_enabled",
        "overlay_enabled",
        "quick_place",
        "random_bits",
        "records",
        "records_max",
        "room",
        "unasked",
        "under",
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
        # Whether nothing is recorded of calls but that they were made, so that `record_quick` may do.
        self.is_quick = enabled and not hops_enabled
        self.lifecycle_enabled = self.objects_enabled = enabled
        self.overlay_enabled = False
        self.links_tells = False
        self._inherited: TraceContext | None = None
        # What a message without a context is handled under.
        self.unasked: TraceContext | None = None
        self._late: Late | None = None
        # The number of the next message that is to begin a trace.
        self.due: float = UNDRAWN
        self._is_refreshed = False
        # Whether something sampled was attached that OpenTelemetry was not there to hear of.
        self._has_unshared = False
        # What runs here, as cheaply as it can be told, and what that gives when there is no span.
        self.under: Callable[[], object] = current_context.get
        self.nothing: object = None
        self.clock = clock
        self.wall_clock = wall_clock
        self.dropped = 0
        # Spans that exporters of ours have handed over, or have not been able to; counted by their own threads.
        self.exported = 0
        self.export_failed = 0
        self._sampler = sampler
        self._follows_parent = sampler.follows_parent
        self.records: Flat = []
        self.records_max = records_max
        # How long `records` may become, for those who append by themselves.
        self.room = records_max * FIELDS
        self._users = UserSpans()
        if random_bits is None:
            generator = random.Random()
            random_bits = generator.getrandbits
            os.register_at_fork(after_in_child=_after_fork(weakref.ref(self), weakref.ref(generator)))
        self.random_bits = random_bits
        self._roots = Roots(sampler, None, clock, random_bits)
        self._takes_all = self._begins_all = sampler.ratio >= 1.0
        # Makes a quick wire current in a `contextvars.Context` that is new; None: it has to be done by `attach`.
        self.quick_place: QuickPlace | None = None

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
        rate = options.traces_per_second
        limit = RateLimit(rate, self.clock()) if rate is not None else None
        self._roots = Roots(sampler, limit, self.clock, self.random_bits)
        self._takes_all = sampler.ratio >= 1.0 and limit is None
        self._begins_all = self._takes_all and self._inherited is None
        self._late = Late.of(options)
        self.due = UNDRAWN
        self._is_refreshed = False
        # The usual limit is there for the collector, and not to choose: what begins without a trace may begin one.
        is_thinned = sampler.ratio < 1.0 or rate not in (None, TRACES_PER_SECOND)
        self.unasked = NOT_SAMPLED if enabled and is_thinned else None
        self.links_tells = options.tell_correlation == "link"
        self.full_enabled = enabled and options.level == FULL
        self.hops_enabled = enabled and options.level in (HOPS, FULL)
        self.lifecycle_enabled = enabled and "lifecycle" in options.scopes
        self.objects_enabled = enabled and "objects" in options.scopes
        self.overlay_enabled = enabled and "overlay" in options.scopes
        self.enabled = enabled and "calls" in options.scopes
        self.is_quick = self.enabled and not self.hops_enabled
        self._look_under()

    def refresh(self) -> None:
        """To be called a few times a second: OpenTelemetry may be loaded by now, and more traces be allowed."""
        self._is_refreshed = True
        if self.due == NEVER:
            self.due = UNDRAWN
        self._look_under()

    def _look_under(self) -> None:
        place = self._users.place()
        self.quick_place = self._users.quick_place() if self.is_quick and self._follows_parent else None
        if place is None:
            self.under, self.nothing = current_context.get, None
        else:
            self.under, self.nothing = (self._either, None) if self._has_unshared else place

    def _either(self) -> object:
        ours = current_context.get()
        return self._users.innermost(None if ours is NOT_SAMPLED else ours)

    @property
    def inherited(self) -> TraceContext | None:
        """What this process runs under as a whole: whoever started it has said so."""
        return self._inherited

    @inherited.setter
    def inherited(self, context: TraceContext | None) -> None:
        self._inherited = context
        self._begins_all = self._takes_all and context is None
        self.due = UNDRAWN

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
        if override == OFF:
            return None
        parent = self._users.innermost(current_context.get()) or self._inherited
        if parent is not None:
            return self._begin_inside(parent)
        root = self._roots.sampled(override)
        return root if root is not None or self._late is None else self._roots.unsampled()

    def begin_numbered(self, number: int, override: object) -> TraceContext | bytes | None:
        """As `begin_traced`, for what is numbered by whoever sends it, and came through the gate.

        A root is sampled, and in wire form, where all is traced.
        """
        if self._begins_all and override is None and current_context.get() is None and self.under() is self.nothing:
            # Once in 2**64 one of the ids is 0, and what that one belongs to leaves no spans.
            return (self.random_bits(_ROOT_BITS) << 8 | _ROOT_FLAGS).to_bytes(CONTEXT_BYTES)
        due = self.due
        if override is not None and override == OFF:
            return None
        if due < number and due != EACH:
            due = self.due = self._next_due(number)  # not drawn yet, or for a number that went another way
        if due == number:
            self.due = self._next_due(number + 1)  # for what is inside of a trace, too: each has the same chance
        parent = current_context.get()
        if self.under() is not self.nothing:
            parent = self._users.innermost(parent)
        parent = parent or self._inherited
        if parent is not None:
            return self._begin_inside(parent)
        roots = self._roots
        root: TraceContext | None = None
        if due == EACH or override is not None:
            root = roots.sampled(override)
        elif due == number:
            root = roots.drawn()
        if roots.is_spent:
            roots.is_spent = False
            if self._is_refreshed and self._late is None:
                self.due = NEVER
        return root if root is not None or self._late is None else roots.unsampled()

    def _next_due(self, first: int) -> float:
        inherited = self._inherited
        is_inside = inherited is not None and inherited.flags & SAMPLED
        return EACH if is_inside or self._late is not None else self._roots.next_due(first)

    def _begin_inside(self, parent: TraceContext) -> TraceContext | None:
        if parent.flags & SAMPLED or not self._follows_parent:
            child = self.child_of(parent)
            if child.flags & SAMPLED:
                return child
        if self._late is None:
            return None
        if not parent.trace_id:
            return self._roots.unsampled()
        return parent._replace(span_id=self.new_span_id(), parent_span_id=parent.span_id, flags=parent.flags & ~SAMPLED)

    def new_trace(self) -> TraceContext | None:
        """The context of a trace with nothing before it, whatever runs here; None when it is not sampled."""
        return self._roots.sampled(None)

    def serve(self, wire: bytes) -> TraceContext | None:
        """The context in which a message is handled that came with one; None when that is not traced."""
        if len(wire) == CONTEXT_BYTES and wire[-1] & SAMPLED and not wire[0] and self._follows_parent:
            # The usual case, spelled out: what `unpack` and `child_of` would do.
            _, high, low, span_id, flags = unpack_layout(wire)
            trace_id = high << 64 | low
            if trace_id and span_id:
                fields = (trace_id, self.random_bits(SPAN_ID_BITS) or 1, flags, span_id, "")
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
        fields = (trace_id, self.random_bits(SPAN_ID_BITS) or 1, flags, parent_span_id, trace_state)
        return tuple.__new__(TraceContext, fields)

    def linked_root(self, cause: TraceContext) -> TraceContext:
        """The context of a new trace, sampled exactly when `cause` is; give `cause` to the record as its link."""
        flags = RANDOM_TRACE_ID | cause.flags & SAMPLED
        return TraceContext(self.random_bits(TRACE_ID_BITS) or 1, self.new_span_id(), flags)

    def new_span_id(self) -> int:
        """A random span id; never 0, which means "none"."""
        return self.random_bits(SPAN_ID_BITS) or 1

    def finish(self, record: Record) -> None:
        """Keep `record` if it is sampled, or if something has come of it that is kept late."""
        context = record.context
        if context.flags & SAMPLED:
            self.record(record)
        elif self._late is not None and self._late.keeps(record):
            self.record(record._replace(context=context._replace(flags=context.flags | SAMPLED | LATE)))

    def record(self, record: Record) -> None:
        """Keep `record` until it is taken, or count it as dropped. Only records of sampled contexts belong here."""
        records = self.records
        if len(records) >= self.room:
            self.dropped += 1  # from several threads at once a few may be missed; the log line says "about"
            return
        records.extend(flat(record))  # as one, whatever other threads do

    def record_quick(
        self, site: AskedSite | ServedSite, wire: bytes, span_id: int, began_ns: int, ended_ns: int, number: int
    ) -> None:
        """As `record`, in the short form that `quick_records` explains; of a sampled context, and while `is_quick`."""
        records = self.records
        if len(records) < self.room:
            records += (site, wire, span_id, began_ns, ended_ns, number)
        else:
            self.dropped += 1

    def take(self, records_max: int) -> list[Record]:
        """Remove and return up to `records_max` records, the oldest first. For one reader only."""
        return [in_full(entry) for entry in entries_of(self.take_flat(records_max))]

    def take_flat(self, records_max: int) -> Flat:
        """As `take`, as they lie there."""
        records = self.records
        taken = records[: records_max * FIELDS]
        del records[: len(taken)]
        return taken

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
        return len(self.records) // FIELDS

    def attach(self, context: TraceContext) -> Attachment:
        """Make `context` the current one here; when this process has OpenTelemetry loaded, there as well.

        The change belongs to the running `contextvars.Context`. For a coroutine that is stepped in a Context of its
        own, attach once inside it and let it go with the Context; everywhere else `detach` in the same Context.
        """
        users = self._users.attach(context)
        if users is None and context.flags & SAMPLED:
            self._has_unshared = True
        return current_context.set(context), users

    def detach(self, attachment: Attachment) -> None:
        """Undo `attach`. Attachments are undone in the reverse order of their making."""
        ours, users = attachment
        if users is not None:
            self._users.detach(users)
        current_context.reset(ours)

    def _root(self) -> TraceContext:
        return self._roots.sampled(None) or self._roots.unsampled()

    def _forget(self) -> None:
        self.records.clear()
        self.dropped = 0


def _after_fork(recorder: weakref.ref[Recorder], generator: weakref.ref[random.Random]) -> Callable[[], None]:
    # Weak, because the interpreter keeps what is registered for ever.
    def in_child() -> None:
        if (live_generator := generator()) is not None:
            live_generator.seed()
        if (live_recorder := recorder()) is not None:
            live_recorder._forget()

    return in_child
