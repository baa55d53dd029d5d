"""Records become OpenTelemetry spans here, in a background thread, and are kept among the node's recent ones.

This module and those whose names begin with it are the only ones that import opentelemetry.

Spans are built after the fact (`ReadableSpan`, 10 µs with its attributes) and given to ordinary SpanProcessors, so that
everything users can configure of the SDK works, without the SDK's price in the path of a call.

Whatever goes wrong in exporting is logged once and never reaches the runtime. When a collector is slow or away, records
and spans are dropped and counted; calls are never held up.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags, TraceState

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.telemetry import events
from partisan_actors.telemetry.complaints import Complaints
from partisan_actors.telemetry.context import SAMPLED, TraceContext
from partisan_actors.telemetry.events import Scope, SpanKind
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.otel_exporters import QUEUE_SPANS_MAX, batching, exporters_of, queue_spans_max
from partisan_actors.telemetry.otel_users import (
    AdoptingProvider,
    KeepingUserSpans,
    adopt_user_spans,
    disown_user_spans,
)
from partisan_actors.telemetry.quick_records import FIELDS, Entry, Flat, entries_of, in_full
from partisan_actors.telemetry.recent import RecentSpans
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.resource import package_version, resource_attributes
from partisan_actors.telemetry.spans import SpanValue, spans_of
from partisan_actors.telemetry.wall_clock import WallClock

__all__ = ["Exporting", "start"]

# A slice holds the interpreter for about a millisecond; the pause after it lets the loop run before the next.
SLICE_RECORDS: Final = 64
# What is only kept takes a sixtieth of that each.
SLICE_KEPT: Final = 4_096
SLICE_PAUSE_S: Final = 0.001
DRAIN_PERIOD_S: Final = 0.2
# While a whole slice comes in that time, it is looked for sooner.
BUSY_PERIOD_S: Final = 0.02

_KINDS: Final = {
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.PRODUCER: trace.SpanKind.PRODUCER,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
}

_UNSET: Final = Status(StatusCode.UNSET)

_logger = logging.getLogger(__name__)


def start(
    recorder: Recorder,
    node: NodeId,
    cluster: str,
    options: TracingOptions,
    *,
    provider: object = None,
    processors: Sequence[object] = (),
    recent: RecentSpans | None = None,
) -> Exporting:
    """Start exporting what `recorder` holds; `tracing.start_tracing` says the rest."""
    users_provider = None if processors or not options.export else _users_provider(provider)
    given = _given_processors(processors, users_provider)
    owned: list[SpanProcessor] = [
        batching(exporter, recorder, answers) for exporter, answers in exporters_of(options, from_environment=not given)
    ]
    resource = _resource(node, cluster, options, users_provider)
    recent = recent if recent is not None else RecentSpans(WallClock(recorder.clock, recorder.wall_clock))
    recent.resource = dict(resource.attributes)
    keeping = KeepingUserSpans(recent)
    if users_provider is not None:
        users_provider.add_span_processor(keeping)
    elif options.adopt_user_spans and not given:
        adopt_user_spans(resource, [*owned, keeping])
    exporting = Exporting(
        recorder, resource, recent, given=given, owned=owned, keeping=keeping, queue_spans_max=queue_spans_max()
    )
    exporting.start()
    return exporting


class Exporting:
    """The background threads between one recorder and those who want its records.

    One keeps them as the node's recent ones. Another, if there is anybody to export to, makes spans of them; it may be
    held up by a collector for long, and then what waits for it is bounded as the recorder is.
    """

    def __init__(
        self,
        recorder: Recorder,
        resource: Resource,
        recent: RecentSpans,
        *,
        given: Sequence[SpanProcessor] = (),
        owned: Sequence[SpanProcessor] = (),
        keeping: SpanProcessor | None = None,
        queue_spans_max: int = QUEUE_SPANS_MAX,
    ) -> None:
        self._recorder = recorder
        self._resource = resource
        self._recent = recent
        self._keeping = keeping
        self._given = tuple(given)
        self._owned = tuple(owned)
        self._flush_after_spans = queue_spans_max // 2
        self._unflushed_spans = 0
        self._clock = recent.clock
        version = package_version()
        self._scopes = {scope: InstrumentationScope(scope.value, version, events.SCHEMA_URL) for scope in Scope}
        self._complaints = Complaints(_logger)
        self._closing = threading.Event()
        self._finished = threading.Event()
        self._kept_all = threading.Event()
        # What waits to be exported, and how many records came into it, and have left it: each is one thread's to count.
        self._waiting: deque[Flat] = deque()
        self._came = self._left = 0
        self._keeper = threading.Thread(target=self._keep, name="partisan-telemetry", daemon=True)
        self._exporter: threading.Thread | None = None
        if self._given or self._owned:
            self._exporter = threading.Thread(target=self._run, name="partisan-telemetry-export", daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self._keeper.start()
        if self._exporter is not None:
            self._exporter.start()

    @property
    def is_finished(self) -> bool:
        """See `tracing.Tracing.is_finished`."""
        return self._finished.is_set()

    def begin_close(self) -> None:
        """See `tracing.Tracing.begin_close`."""
        self._recorder.configure(enabled=False)
        self._closing.set()

    def close(self, timeout_s: float) -> bool:
        """See `tracing.Tracing.close`."""
        self.begin_close()
        if not self._finished.wait(timeout_s):
            self._complaints.say("tracing could not be flushed in time; the last spans are lost")
        return self._finished.is_set()

    # ---- the first thread -------------------------------------------------------------------------------------

    def _keep(self) -> None:
        kept = 0
        while not self._closing.wait(BUSY_PERIOD_S if kept >= SLICE_KEPT else DRAIN_PERIOD_S):
            kept = self._keep_waiting()
        self._keep_waiting()
        self._kept_all.set()
        if self._exporter is None:
            self._finish()

    def _keep_waiting(self) -> int:
        """Returns how many there were."""
        recorder, kept = self._recorder, 0
        recorder.refresh()
        self._clock.follow_steps()
        while taken := recorder.take_flat(SLICE_KEPT):
            count = len(taken) // FIELDS
            kept += count
            if self._exporter is not None:
                room = min(count, max(0, recorder.records_max - (self._came - self._left)))
                if room:  # where nothing is taken any more, not even empty lists may pile up
                    self._waiting.append(taken[: room * FIELDS])
                    self._came += room
                recorder.dropped += count - room
            self._recent.add_flat(taken)
            if count == SLICE_KEPT:
                self._closing.wait(SLICE_PAUSE_S)
        if recorder.dropped:
            self._complaints.say("tracing falls behind: about %d spans were not recorded", recorder.dropped)
        return kept

    # ---- the second -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._kept_all.wait(DRAIN_PERIOD_S):
            self._export_waiting()
        self._export_waiting()
        self._flush((*self._given, *self._owned))
        self._finish()

    def _export_waiting(self) -> None:
        waiting = self._waiting
        while waiting:
            records = waiting.popleft()
            for start in range(0, len(records), SLICE_RECORDS * FIELDS):
                for entry in entries_of(records[start : start + SLICE_RECORDS * FIELDS]):
                    self._export_entry(entry)
                self._left += min(SLICE_RECORDS, (len(records) - start) // FIELDS)
                self._closing.wait(SLICE_PAUSE_S)

    def _export_entry(self, entry: Entry) -> None:
        try:
            record = in_full(entry)
            if record.context.flags & SAMPLED:  # a recorder's users should not give it others; nobody must get them
                for value in spans_of(record):
                    self._export(self._readable(value))
        except Exception as error:  # noqa: BLE001 - a bad record or a user's processor costs its span only
            self._complaints.say("a span could not be exported: %r", error)

    def _finish(self) -> None:
        for processor in self._owned:
            self._attempt("closing an exporter", processor.shutdown)
        if self._keeping is not None:
            self._keeping.shutdown()
            disown_user_spans((*self._owned, self._keeping))
        self._finished.set()

    def _attempt(self, what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a user's processor may raise anything; the others must still run
            self._complaints.say("%s failed: %r", what, error)

    def _flush(self, processors: tuple[SpanProcessor, ...]) -> None:
        self._unflushed_spans = 0
        for processor in processors:
            self._attempt("flushing spans", processor.force_flush)

    def _export(self, span: ReadableSpan) -> None:
        # Building spans is faster than encoding them, and a full batch queue would drop the difference. Waiting here
        # instead leaves the surplus where there is more room, and where what is refused is counted.
        if self._unflushed_spans >= self._flush_after_spans:
            self._flush(self._owned)
        self._unflushed_spans += 1
        for processor in self._given:
            processor.on_end(span)
        for processor in self._owned:
            processor.on_end(span)

    def _readable(self, value: SpanValue) -> ReadableSpan:
        to_unix_ns = self._clock.to_unix_ns
        failure = value.failure
        return ReadableSpan(
            name=value.name,
            context=_span_context(value.context, value.context.span_id, is_remote=False),
            parent=_parent(value),
            resource=self._resource,
            attributes=value.attributes,
            events=[Event(event.name, event.attributes, to_unix_ns(event.at_ns)) for event in value.happenings],
            links=[Link(_span_context(link, link.span_id, is_remote=True)) for link in value.links],
            kind=_KINDS[value.kind],
            status=_UNSET if failure is None else Status(StatusCode.ERROR, failure.message),
            start_time=to_unix_ns(value.started_ns),
            end_time=to_unix_ns(value.ended_ns),
            instrumentation_scope=self._scopes[value.scope],
        )


def _users_provider(provider: object) -> TracerProvider | None:
    if provider is not None:
        if not isinstance(provider, TracerProvider):
            raise ConfigError("provider", provider, "an opentelemetry.sdk.trace.TracerProvider")
        return provider
    installed = trace.get_tracer_provider()
    if isinstance(installed, TracerProvider) and not isinstance(installed, AdoptingProvider):
        return installed
    return None


def _given_processors(processors: Sequence[object], provider: TracerProvider | None) -> list[SpanProcessor]:
    if provider is not None:
        # The SDK offers no public way to hand a finished span to a provider's processors.
        return [provider._active_span_processor]
    checked = []
    for processor in processors:
        if not isinstance(processor, SpanProcessor):
            raise ConfigError("processors", processor, "opentelemetry.sdk.trace.SpanProcessor instances")
        checked.append(processor)
    return checked


def _resource(node: NodeId, cluster: str, options: TracingOptions, provider: TracerProvider | None) -> Resource:
    base = provider.resource if provider is not None else Resource.create()
    ours = resource_attributes(node, cluster, options, base.attributes)
    return base.merge(Resource(ours, base.schema_url or events.SCHEMA_URL))


def _parent(value: SpanValue) -> SpanContext | None:
    parent_span_id = value.context.parent_span_id
    if not parent_span_id:
        return None
    return _span_context(value.context, parent_span_id, is_remote=value.parent_is_remote)


def _span_context(context: TraceContext, span_id: int, *, is_remote: bool) -> SpanContext:
    trace_state = TraceState.from_header([context.trace_state]) if context.trace_state else None
    return SpanContext(context.trace_id, span_id, is_remote, TraceFlags(context.flags & 0xFF), trace_state)
