"""What to trace and where to send it, as far as the ``OTEL_*`` environment variables do not say it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.events import Scope
from partisan_actors.values import dataclass

__all__ = [
    "CALLS",
    "FULL",
    "HOPS",
    "LEVELS",
    "OFF",
    "SCOPES",
    "TRACES_PER_SECOND",
    "TRACE_FILE_BYTES_MAX",
    "TracingOptions",
]

OFF: Final = "off"
CALLS: Final = "calls"
HOPS: Final = "hops"
FULL: Final = "full"
# Each holds all that is in those before.
LEVELS: Final = (OFF, CALLS, HOPS, FULL)

SCOPES: Final = tuple(scope.name.lower() for scope in Scope)
USUAL_SCOPES: Final = tuple(name for name in SCOPES if name != "overlay")
CORRELATIONS: Final = ("parent", "link")

TRACE_FILE_BYTES_MAX: Final = 256 * 1024 * 1024
# So many traces of a few spans take an exporter a tenth of a core.
TRACES_PER_SECOND: Final = 1000.0


@dataclass(frozen=True, slots=True)
class TracingOptions:
    """The choices of one node; raises ConfigError when they do not fit together.

    `level` is ``off``; ``calls``, which leaves out nodes that only pass a message on; ``hops``, with those; or
    ``full``, in which sending, waiting in the mailbox and running have spans of their own. `scopes` are those of
    ``calls``, ``lifecycle``, ``objects`` and ``overlay`` that are recorded: the last is not unless it is named. With
    `tell_correlation` ``link`` handling a tell begins a trace of its own with a link to the sender, as an actor needs
    that tells itself for ever.

    `traces_per_second` bounds how many traces begin on this node, beside what ``OTEL_TRACES_SAMPLER`` says; None is no
    bound, and there is none either where that variable is set and this is as usual. What is not sampled is recorded
    after all when it fails, with `keep_failed`, and when it takes as long as `keep_slower_s`: that span only, not the
    trace, marked ``partisan.sampled.late``.

    `service_name` wins over ``OTEL_SERVICE_NAME``; with `service_name_per_node` it becomes ``name@node``, so that a
    viewer colours nodes apart. With `trace_file` spans are also appended to that file as OTLP/JSON lines, up to
    `trace_file_bytes_max` bytes; several nodes may share it. `export` False means to that file only, if there is one:
    the last spans of a node are kept there in any case, for `partisan traces` and the dashboard. With
    `adopt_user_spans` spans that actors open with OpenTelemetry themselves are exported too, unless the program has
    installed a provider of its own.
    """

    level: str = CALLS
    service_name: str = ""
    service_name_per_node: bool = False
    trace_file: str = ""
    trace_file_bytes_max: int = TRACE_FILE_BYTES_MAX
    export: bool = True
    adopt_user_spans: bool = True
    scopes: Sequence[str] = USUAL_SCOPES
    tell_correlation: str = "parent"
    traces_per_second: float | None = TRACES_PER_SECOND
    keep_failed: bool = False
    keep_slower_s: float | None = None

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ConfigError("tracing level", self.level, f"{', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
        scopes = self.scopes
        if isinstance(scopes, str) or not all(scope in SCOPES for scope in scopes):
            raise ConfigError("tracing scopes", scopes, f"some of {', '.join(SCOPES)}")
        if self.tell_correlation not in CORRELATIONS:
            raise ConfigError("tell_correlation", self.tell_correlation, " or ".join(CORRELATIONS))
        for name in ("traces_per_second", "keep_slower_s"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not _is_positive(value)):
                raise ConfigError(name, value, "a positive number, or None")

    @property
    def is_off(self) -> bool:
        """Whether nothing is to be recorded."""
        return self.level == OFF


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0
