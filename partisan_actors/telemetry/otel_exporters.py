"""Where spans go: the exporters that the environment and the options name, each behind a bounded queue of its own.

Whatever goes wrong in exporting is logged once and never reaches the runtime.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Final

from google.protobuf import json_format  # type: ignore[import-untyped]  # protobuf ships no type information
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.complaints import Complaints, FirstOfItsKind
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.otel_answers import Answers, listening
from partisan_actors.telemetry.otlp_json import TraceFile, to_line
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.sdk_variables import otlp_transport

__all__ = ["QUEUE_SPANS_MAX", "QuietExporter", "TraceFileExporter", "batching", "exporters_of", "queue_spans_max"]

# The SDK's own 2,048 spans overflow at once under load. The delay is short so that a trace can be looked at right away.
QUEUE_SPANS_MAX: Final = 16_384
BATCH_SPANS_MAX: Final = 2_048
SCHEDULE_DELAY_MS: Final = 1_000
SDK_QUEUE_SPANS_MAX: Final = 2_048

_BATCH_VARIABLES: Final = frozenset({"OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"})

_logger = logging.getLogger(__name__)


def exporters_of(options: TracingOptions, *, from_environment: bool) -> list[tuple[SpanExporter, Answers | None]]:
    """Those that the options and, if it is to count, the environment name. Raises ConfigError for a bad file.

    With each, what will be answered to it, where that can be heard.
    """
    exporters = _exporters_from_environment() if from_environment and options.export else []
    if options.trace_file:
        try:
            file = TraceFile(options.trace_file, options.trace_file_bytes_max)
            exporters.append((TraceFileExporter(file), None))
        except OSError as error:
            raise ConfigError("trace_file", options.trace_file, f"a file that can be written ({error})") from error
    return exporters


def _exporters_from_environment() -> list[tuple[SpanExporter, Answers | None]]:
    """What ``OTEL_TRACES_EXPORTER`` names, found as the SDK's own configuration finds it; OTLP/HTTP by default."""
    exporters: list[tuple[SpanExporter, Answers | None]] = []
    for name in (os.environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp").split(","):
        if name.strip() == "none":
            continue
        exporter = name.strip() if name.strip() != "otlp" else f"otlp_proto_{otlp_transport(os.environ, 'TRACES')}"
        try:
            exporters.append(listening(exporter, _load(exporter), os.environ))
        except Exception as error:  # noqa: BLE001 - any installed package; a program must not fail for want of traces
            _logger.warning("spans will not go to exporter %r: it cannot be made (%r)", exporter, error)
    return exporters


def _load(name: str) -> Callable[..., SpanExporter]:
    found = next(iter(metadata.entry_points(group="opentelemetry_traces_exporter", name=name)), None)
    if found is None:
        remedy = "pip install 'partisan-actors[grpc]'" if name == "otlp_proto_grpc" else "its package is not installed"
        raise LookupError(remedy)
    load: Callable[..., SpanExporter] = found.load()
    return load


def batching(exporter: SpanExporter, recorder: Recorder, answers: Answers | None = None) -> BatchSpanProcessor:
    """A bounded queue before `exporter`, with the ``OTEL_BSP_*`` variables' sizes, and a thread that empties it."""
    quiet = QuietExporter(exporter, recorder, answers)
    delay_ms = None if "OTEL_BSP_SCHEDULE_DELAY" in os.environ else SCHEDULE_DELAY_MS
    try:
        if _BATCH_VARIABLES & os.environ.keys():  # one of the two alone must fit the SDK's default of the other
            return BatchSpanProcessor(quiet, schedule_delay_millis=delay_ms)
        return BatchSpanProcessor(quiet, QUEUE_SPANS_MAX, delay_ms, BATCH_SPANS_MAX)
    except ValueError as error:
        _logger.warning("the OTEL_BSP_* variables do not fit together (%s); using the defaults", error)
        return BatchSpanProcessor(quiet, QUEUE_SPANS_MAX, SCHEDULE_DELAY_MS, BATCH_SPANS_MAX)


def queue_spans_max() -> int:
    """How many spans the queue holds that `batching` makes; the least it may be when that is not clear."""
    if not _BATCH_VARIABLES & os.environ.keys():
        return QUEUE_SPANS_MAX
    text = os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE", "").strip()
    return int(text) if text.isdigit() else SDK_QUEUE_SPANS_MAX


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


class QuietExporter(SpanExporter):
    """An exporter whose troubles are counted by `recorder` and logged once, and whose exceptions end here."""

    def __init__(self, exporter: SpanExporter, recorder: Recorder, answers: Answers | None = None) -> None:
        self._exporter = exporter
        self._answers = answers
        self._recorder = recorder
        self._complaints = Complaints(_logger)
        self._filter = FirstOfItsKind()
        # The SDK's exporters log for themselves, at every batch; ours raises. Each has the loggers of its modules.
        modules = {each.__module__ for each in type(exporter).__mro__} - {__name__}
        self._loggers = [logging.getLogger(module) for module in sorted(modules)]
        for each in self._loggers:
            each.addFilter(self._filter)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - any exporter a user may have installed; the batch is lost, no more
            self._complaints.say("spans could not be exported: %r", error)
            result = SpanExportResult.FAILURE
        lost = len(spans)
        if result is SpanExportResult.SUCCESS:
            lost = self._rejected(lost)
        self._recorder.exported += len(spans) - lost
        self._recorder.export_failed += lost
        return result

    def _rejected(self, count: int) -> int:
        if self._answers is None:
            return 0
        rejected, why = self._answers.take(count)
        if rejected:
            self._complaints.say(
                "a collector has not taken %d of %d spans: %s", rejected, count, why or "it says no more"
            )
        elif why:
            self._complaints.say("a collector remarks on spans that it has taken: %s", why)
        return rejected

    def shutdown(self) -> None:
        self._exporter.shutdown()
        for each in self._loggers:
            each.removeFilter(self._filter)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
