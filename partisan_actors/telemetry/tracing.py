"""Switching tracing on for one node, and the only door through which opentelemetry gets loaded."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.options import TRACES_PER_SECOND, TracingOptions
from partisan_actors.telemetry.recent import RecentSpans
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.sampler import SAMPLER_VARIABLE, Sampler
from partisan_actors.telemetry.sdk_variables import set_aside_what_makes_no_sense

__all__ = [
    "DISABLED_VARIABLE",
    "Tracing",
    "TracingOptions",
    "begin_recording",
    "inherit",
    "is_disabled_by",
    "limited",
    "start_tracing",
]

DISABLED_VARIABLE: Final = "OTEL_SDK_DISABLED"
PARENT_VARIABLE: Final = "TRACEPARENT"
STATE_VARIABLE: Final = "TRACESTATE"

_logger = logging.getLogger(__name__)


class Tracing(Protocol):
    """Tracing that has been started."""

    @property
    def is_finished(self) -> bool:
        """Whether it has been closed, and all of it has been handed over."""
        ...

    def begin_close(self) -> None:
        """Stop recording, and have what is left exported.

        Returns at once, and needs no thread of its own: it works while the interpreter shuts down, too.
        """
        ...

    def close(self, timeout_s: float) -> bool:
        """Stop recording and export what is left; True when all of it was handed over within `timeout_s` seconds.

        Blocks for that long at most, so not on a loop. Never raises. May be called again, to wait longer.
        """
        ...


def is_disabled_by(environ: Mapping[str, str]) -> bool:
    """Whether ``OTEL_SDK_DISABLED`` asks for no telemetry at all; it wins over every option."""
    return environ.get(DISABLED_VARIABLE, "").strip().lower() == "true"


def begin_recording(recorder: Recorder, options: TracingOptions) -> bool:
    """Enable `recorder` at once, without opentelemetry; False, and nothing done, when the environment forbids it.

    To be called before the node takes its first message. What is recorded waits for `start_tracing` to export it, and
    a call that arrives while opentelemetry is still being loaded keeps its place in its trace.
    """
    if options.is_off or is_disabled_by(os.environ):
        return False
    options = limited(options, os.environ)
    recorder.configure(enabled=True, sampler=Sampler.from_environment(os.environ), options=options)
    return True


def limited(options: TracingOptions, environ: Mapping[str, str]) -> TracingOptions:
    """These options, without the usual limit if ``OTEL_TRACES_SAMPLER`` says how much is wanted."""
    if environ.get(SAMPLER_VARIABLE, "").strip() and options.traces_per_second == TRACES_PER_SECOND:
        return replace(options, traces_per_second=None)
    return options


def inherit(recorder: Recorder, environ: Mapping[str, str]) -> None:
    """Have what begins in this process be part of the trace that ``TRACEPARENT`` (and ``TRACESTATE``) names.

    A value that makes no sense is logged and ignored.
    """
    text = environ.get(PARENT_VARIABLE, "")
    if not text.strip():
        return
    recorder.inherited = TraceContext.from_traceparent(text, environ.get(STATE_VARIABLE, ""))
    if recorder.inherited is None:
        _logger.warning("%s=%r is no trace context: this program begins traces of its own", PARENT_VARIABLE, text[:80])


def start_tracing(
    recorder: Recorder,
    node: NodeId,
    cluster: str,
    options: TracingOptions | None = None,
    *,
    provider: object = None,
    processors: Sequence[object] = (),
    recent: RecentSpans | None = None,
) -> Tracing | None:
    """Keep in `recent`, and export, what `recorder` holds, in a background thread; None if the environment forbids it.

    Begins the recording if that has not been done. Spans go to `processors` (opentelemetry `SpanProcessor`s) if any are
    given, else through `provider` (an SDK `TracerProvider`), else through the provider the program has installed
    globally, else as the ``OTEL_*`` variables say (by OTLP/HTTP if they are silent). What the user gave is flushed at
    the end but not shut down. Loads opentelemetry, which takes a second and is better done off the loop. Raises
    ConfigError when a processor or the provider is not one, or the trace file cannot be written.
    """
    options = options or TracingOptions()
    if options.is_off or is_disabled_by(os.environ):
        return None
    if not recorder.enabled:
        begin_recording(recorder, options)
    set_aside_what_makes_no_sense(os.environ)
    try:
        from partisan_actors.telemetry import otel  # not above: a node that does not trace never pays for this import

        return otel.start(recorder, node, cluster, options, provider=provider, processors=processors, recent=recent)
    except BaseException:
        recorder.configure(enabled=False)  # nobody will come for what it holds
        raise
