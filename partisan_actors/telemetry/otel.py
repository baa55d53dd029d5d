"""Records become OpenTelemetry spans here, in a background thread; the only module that imports opentelemetry.

Spans are built after the fact (`ReadableSpan`, 10 µs with its attributes) and given to ordinary SpanProcessors, so that
everything users can configure of the SDK works, without the SDK's price in the path of a call.

Whatever goes wrong in exporting is logged once and never reaches the runtime. When a collector is slow or away, records
and spans are dropped and counted; calls are never held up.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Final

from google.protobuf import json_format  # type: ignore[import-untyped]  # protobuf ships no type information
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags, TraceState

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.telemetry import events
from partisan_actors.telemetry.complaints import Complaints, FirstOfItsKind
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.events import Scope, SpanKind
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.otlp_json import TraceFile, to_line
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.resource import package_version, resource_attributes
from partisan_actors.telemetry.spans import SpanValue, spans_of
from partisan_actors.telemetry.wall_clock import WallClock

__all__ = ["Exporting", "TraceFileExporter", "start"]

# A slice holds the interpreter for about a millisecond; the pause after it lets the loop run before the next.
SLICE_RECORDS: Final = 64
SLICE_PAUSE_S: Final = 0.001
DRAIN_PERIOD_S: Final = 0.2

# The SDK's own 2,048 spans overflow at once under load. The delay is short so that a trace can be looked at right away.
QUEUE_SPANS_MAX: Final = 16_384
BATCH_SPANS_MAX: Final = 2_048
SCHEDULE_DELAY_MS: Final = 1_000
SDK_QUEUE_SPANS_MAX: Final = 2_048

_BATCH_VARIABLES: Final = frozenset({"OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"})

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
) -> Exporting:
    """Start exporting what `recorder` holds; `tracing.start_tracing` says the rest."""
    users_provider = None if processors or not options.export else _users_provider(provider)
    given = _given_processors(processors, users_provider)
    owned = [_batching(exporter) for exporter in _exporters(options, from_environment=not given)]
    resource = _resource(node, cluster, options, users_provider)
    if options.adopt_user_spans and not given:
        _adopt_user_spans(resource, owned)
    exporting = Exporting(recorder, resource, given=given, owned=owned, queue_spans_max=_queue_spans_max())
    exporting.start()
    return exporting


class Exporting:
    """The background thread between one recorder and its span processors."""

    def __init__(
        self,
        recorder: Recorder,
        resource: Resource,
        *,
        given: Sequence[SpanProcessor] = (),
        owned: Sequence[SpanProcessor] = (),
        queue_spans_max: int = QUEUE_SPANS_MAX,
    ) -> None:
        self._recorder = recorder
        self._resource = resource
        self._given = tuple(given)
        self._owned = tuple(owned)
        self._flush_after_spans = queue_spans_max // 2
        self._unflushed_spans = 0
        self._clock = WallClock(recorder.clock, recorder.wall_clock)
        version = package_version()
        self._scopes = {scope: InstrumentationScope(scope.value, version, events.SCHEMA_URL) for scope in Scope}
        self._complaints = Complaints(_logger)
        self._closing = threading.Event()
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._run, name="partisan-telemetry", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

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
        self._thread.join(timeout_s)
        if not self._finished.is_set():
            self._complaints.say("tracing could not be flushed within %g s; the last spans are lost", timeout_s)
        return self._finished.is_set()

    def drain_slice(self) -> int:
        """Export up to SLICE_RECORDS records; returns how many there were. Called by the thread, and by tests."""
        records = self._recorder.take(SLICE_RECORDS)
        for record in records:
            if not record.context.is_sampled:  # a recorder's users should not give it such; processors must not get it
                continue
            try:
                for value in spans_of(record, self._recorder.new_span_id):
                    self._export(self._readable(value))
            except Exception as error:  # noqa: BLE001 - a bad record or a user's processor must cost its span only
                self._complaints.say("a span could not be exported: %r", error)
        return len(records)

    def _run(self) -> None:
        while not self._closing.wait(DRAIN_PERIOD_S):
            self._drain()
        self._drain()
        self._flush((*self._given, *self._owned))
        for processor in self._owned:
            self._attempt("closing an exporter", processor.shutdown)
        _disown_user_spans(self._owned)
        self._finished.set()

    def _attempt(self, what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a user's processor may raise anything; the others must still run
            self._complaints.say("%s failed: %r", what, error)

    def _drain(self) -> None:
        self._clock.follow_steps()
        while self.drain_slice() == SLICE_RECORDS:
            self._closing.wait(SLICE_PAUSE_S)
            # Building spans is faster than encoding them, and a full batch queue would drop the difference. Waiting
            # here instead leaves the surplus in the recorder, which has more room and counts what it must refuse.
            if self._unflushed_spans >= self._flush_after_spans:
                self._flush(self._owned)
        if self._recorder.dropped:
            self._complaints.say("tracing falls behind: about %d spans were not recorded", self._recorder.dropped)

    def _flush(self, processors: tuple[SpanProcessor, ...]) -> None:
        self._unflushed_spans = 0
        for processor in processors:
            self._attempt("flushing spans", processor.force_flush)

    def _export(self, span: ReadableSpan) -> None:
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


class TraceFileExporter(SpanExporter):
    """Appends every batch to a file as one line of OTLP/JSON: what Jaeger's UI opens and a collector reads."""

    def __init__(self, file: TraceFile) -> None:
        self._file = file

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        request = json_format.MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        self._file.append(to_line(request))
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._file.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True  # every line is written when `export` returns


class _QuietExporter(SpanExporter):
    """An exporter whose troubles are logged once, and whose exceptions end here."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._complaints = Complaints(_logger)
        self._filter = FirstOfItsKind()
        # The SDK's exporters log for themselves, at every batch; ours raises. Each has its module's logger.
        self._exporters_logger = logging.getLogger(type(exporter).__module__)
        if self._exporters_logger is not _logger:
            self._exporters_logger.addFilter(self._filter)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            return self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - any exporter a user may have installed; the batch is lost, no more
            self._complaints.say("spans could not be exported: %r", error)
            return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._exporter.shutdown()
        self._exporters_logger.removeFilter(self._filter)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _AdoptedSpans(SpanProcessor):
    """Passes the spans that users open to the processors of whichever node traces now."""

    def __init__(self) -> None:
        self.targets: tuple[SpanProcessor, ...] = ()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for target in self.targets:
            target.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        for target in self.targets:
            target.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        flushed = [target.force_flush(timeout_millis) for target in self.targets]
        return all(flushed)


class _AdoptingProvider(TracerProvider):
    """The global provider of a process that has not installed its own. OpenTelemetry lets it be set once only."""

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource=resource, shutdown_on_exit=False)
        self.adopted = _AdoptedSpans()
        self.add_span_processor(self.adopted)


def _adopt_user_spans(resource: Resource, targets: Sequence[SpanProcessor]) -> None:
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        provider = _AdoptingProvider(resource)
        trace.set_tracer_provider(provider)
    if isinstance(provider, _AdoptingProvider):
        provider.adopted.targets = tuple(targets)


def _disown_user_spans(targets: tuple[SpanProcessor, ...]) -> None:
    provider = trace.get_tracer_provider()
    if isinstance(provider, _AdoptingProvider) and provider.adopted.targets == targets:
        provider.adopted.targets = ()


def _users_provider(provider: object) -> TracerProvider | None:
    if provider is not None:
        if not isinstance(provider, TracerProvider):
            raise ConfigError("provider", provider, "an opentelemetry.sdk.trace.TracerProvider")
        return provider
    installed = trace.get_tracer_provider()
    if isinstance(installed, TracerProvider) and not isinstance(installed, _AdoptingProvider):
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


def _exporters(options: TracingOptions, *, from_environment: bool) -> list[SpanExporter]:
    exporters = _exporters_from_environment() if from_environment and options.export else []
    if options.trace_file:
        try:
            exporters.append(TraceFileExporter(TraceFile(options.trace_file, options.trace_file_bytes_max)))
        except OSError as error:
            raise ConfigError("trace_file", options.trace_file, f"a file that can be written ({error})") from error
    return exporters


def _exporters_from_environment() -> list[SpanExporter]:
    """What ``OTEL_TRACES_EXPORTER`` names, found as the SDK's own configuration finds it; OTLP/HTTP by default."""
    exporters: list[SpanExporter] = []
    for name in (os.environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp").split(","):
        if name.strip() == "none":
            continue
        exporter = name.strip() if name.strip() != "otlp" else f"otlp_proto_{_otlp_transport()}"
        try:
            (found, *_) = metadata.entry_points(group="opentelemetry_traces_exporter", name=exporter)
            exporters.append(found.load()())
        except Exception as error:  # noqa: BLE001 - any installed package; a program must not fail for want of traces
            _logger.warning("spans will not go to exporter %r: it cannot be made (%r)", exporter, error)
    return exporters


def _otlp_transport() -> str:
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    return "grpc" if protocol == "grpc" else "http"


def _batching(exporter: SpanExporter) -> BatchSpanProcessor:
    quiet = _QuietExporter(exporter)
    delay_ms = None if "OTEL_BSP_SCHEDULE_DELAY" in os.environ else SCHEDULE_DELAY_MS
    try:
        if _BATCH_VARIABLES & os.environ.keys():  # one of the two alone must fit the SDK's default of the other
            return BatchSpanProcessor(quiet, schedule_delay_millis=delay_ms)
        return BatchSpanProcessor(quiet, QUEUE_SPANS_MAX, delay_ms, BATCH_SPANS_MAX)
    except ValueError as error:
        _logger.warning("the OTEL_BSP_* variables do not fit together (%s); using the defaults", error)
        return BatchSpanProcessor(quiet, QUEUE_SPANS_MAX, SCHEDULE_DELAY_MS, BATCH_SPANS_MAX)


def _queue_spans_max() -> int:
    """How many spans the queue holds that `_batching` makes; the least it may be when that is not clear."""
    if not _BATCH_VARIABLES & os.environ.keys():
        return QUEUE_SPANS_MAX
    text = os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE", "").strip()
    return int(text) if text.isdigit() else SDK_QUEUE_SPANS_MAX


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
    return SpanContext(context.trace_id, span_id, is_remote, TraceFlags(context.flags), trace_state)
