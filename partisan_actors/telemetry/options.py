"""What to trace and where to send it, as far as the ``OTEL_*`` environment variables do not say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from partisan_actors.errors import ConfigError

__all__ = ["LEVELS", "TRACE_FILE_BYTES_MAX", "TracingOptions"]

LEVELS: Final = ("calls", "hops")

TRACE_FILE_BYTES_MAX: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TracingOptions:
    """The choices of one node; raises ConfigError when they do not fit together.

    `level` is ``hops``, or ``calls``, which leaves out the spans of nodes that relay a message, and those of nodes that
    hand a broadcast to their subscribers. `service_name` wins over ``OTEL_SERVICE_NAME``; with `service_name_per_node`
    it becomes ``name@node``, so that a viewer colours nodes apart. With `trace_file` spans are also appended to that
    file as OTLP/JSON lines, up to `trace_file_bytes_max` bytes; several nodes may share it. `export` False means to
    that file only, if there is one: the last spans of a node are kept there in any case, for `partisan traces` and the
    dashboard. With `adopt_user_spans` spans that actors open with OpenTelemetry themselves are exported too,
    unless the program has installed a provider of its own.
    """

    level: str = "hops"
    service_name: str = ""
    service_name_per_node: bool = False
    trace_file: str = ""
    trace_file_bytes_max: int = TRACE_FILE_BYTES_MAX
    export: bool = True
    adopt_user_spans: bool = True

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ConfigError("tracing level", self.level, " or ".join(LEVELS))
