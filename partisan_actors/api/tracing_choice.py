"""What is traced, from what a user says to `init` or on the command line, and else from the environment."""

from __future__ import annotations

import os
from typing import Final

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.options import LEVELS, TracingOptions
from partisan_actors.telemetry.tracing import limited

__all__ = ["tracing_choice"]

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def tracing_choice(tracing: bool | str | TracingOptions | None) -> TracingOptions | None:
    """What to trace with, None for nothing; a user who says nothing wants it if there is an endpoint for spans.

    Raises ConfigError for what is neither True, False, None, a level nor options.
    """
    if isinstance(tracing, str) and tracing in LEVELS:
        tracing = TracingOptions(level=tracing)
    if isinstance(tracing, TracingOptions):
        return None if tracing.is_off else limited(tracing, os.environ)
    if tracing is None:
        tracing = any(os.environ.get(name) for name in _ENDPOINTS)
    if not isinstance(tracing, bool):
        raise ConfigError("tracing", tracing, f"True, False, None, {', '.join(map(repr, LEVELS))} or TracingOptions")
    return limited(TracingOptions(), os.environ) if tracing else None
