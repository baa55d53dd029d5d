"""Switching tracing on for one node, and the only door through which opentelemetry gets loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.recorder import Recorder

__all__ = ["DISABLED_VARIABLE", "Tracing", "TracingOptions", "is_disabled_by", "start_tracing"]

DISABLED_VARIABLE: Final = "OTEL_SDK_DISABLED"


class Tracing(Protocol):
    """Tracing that has been started."""

    def close(self, timeout_s: float) -> bool:
        """Stop recording and export what is left; True when all of it was handed over within `timeout_s` seconds.

        Blocks for that long at most, so not on a loop. Never raises. May be called again, to wait longer.
        """
        ...


def is_disabled_by(environ: Mapping[str, str]) -> bool:
    """Whether ``OTEL_SDK_DISABLED`` asks for no telemetry at all; it wins over every option."""
    return environ.get(DISABLED_VARIABLE, "").strip().lower() == "true"


def start_tracing(
    recorder: Recorder,
    node: NodeId,
    cluster: str,
    options: TracingOptions | None = None,
    *,
    provider: object = None,
    processors: Sequence[object] = (),
) -> Tracing | None:
    """Enable `recorder` and export what it holds from a background thread; None when the environment forbids it.

    Spans go to `processors` (opentelemetry `SpanProcessor`s) if any are given, else through `provider` (an SDK
    `TracerProvider`), else through the provider the program has installed globally, else as the ``OTEL_*`` variables
    say (by OTLP/HTTP if they are silent). What the user gave is flushed at the end but not shut down. Loads
    opentelemetry, which takes a second, so call it before the loop is busy. Raises ConfigError when a processor or the
    provider is not one.
    """
    if is_disabled_by(os.environ):
        return None
    from partisan_actors.telemetry import otel  # not above: a node that does not trace never pays for this import

    return otel.start(recorder, node, cluster, options or TracingOptions(), provider=provider, processors=processors)
