"""Whether and how a node traces, from what the user has said, or else from the environment."""

from __future__ import annotations

import os

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.tracing import TracingOptions

__all__ = ["tracing_options"]


def tracing_options(tracing: bool | TracingOptions | None) -> TracingOptions | None:
    """What to trace with; when the user has said nothing, the ``OTEL_*`` variables decide. Raises ConfigError."""
    if isinstance(tracing, TracingOptions):
        return tracing
    if tracing is None:
        names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        tracing = any(os.environ.get(name) for name in names)
    if not isinstance(tracing, bool):
        raise ConfigError("tracing", tracing, "True, False, None or TracingOptions")
    return TracingOptions() if tracing else None
