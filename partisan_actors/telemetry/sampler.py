"""Whether a trace is recorded: decided once, at its root, before anything about it is created.

The same rules and environment variables as OpenTelemetry's own samplers, without importing them, so that a node and
an instrumented program beside it decide alike for one trace id.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import field
from typing import Final

from partisan_actors.errors import ConfigError
from partisan_actors.values import dataclass

__all__ = ["ALWAYS_ON", "RateLimit", "SAMPLER_ARGUMENT_VARIABLE", "SAMPLER_VARIABLE", "Sampler"]

SAMPLER_VARIABLE: Final = "OTEL_TRACES_SAMPLER"
SAMPLER_ARGUMENT_VARIABLE: Final = "OTEL_TRACES_SAMPLER_ARG"

_LOW_64: Final = (1 << 64) - 1
_PARENT_BASED: Final = "parentbased_"
_RATIO: Final = "traceidratio"
_DEFAULT: Final = "parentbased_always_on"
_KNOWN: Final = ("always_on", "always_off", _RATIO)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sampler:
    """Records the share `ratio` of all traces, chosen by trace id.

    With `follows_parent` a caller's decision is kept, which makes a trace whole or absent; without, every node decides
    again by the trace id. Raises ConfigError when `ratio` is not within 0 and 1.
    """

    ratio: float = 1.0
    follows_parent: bool = True
    _bound: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.ratio <= 1.0:
            raise ConfigError("sampling ratio", self.ratio, "a number from 0 to 1")
        object.__setattr__(self, "_bound", round(self.ratio * (1 << 64)))

    @property
    def bound(self) -> int:
        """Below which the lower half of a trace id is sampled."""
        return self._bound

    def samples(self, trace_id: int) -> bool:
        """The decision for a trace id, the same on every node with this ratio."""
        return (trace_id & _LOW_64) < self._bound

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, logs: bool = True) -> Sampler:
        """The sampler that ``OTEL_TRACES_SAMPLER`` and ``OTEL_TRACES_SAMPLER_ARG`` describe.

        As OpenTelemetry asks, a value that is not understood is logged and treated as if it were not set. Whoever
        reads them again does without `logs`.
        """
        name = environ.get(SAMPLER_VARIABLE, "").strip().lower() or _DEFAULT
        if name.removeprefix(_PARENT_BASED) not in _KNOWN:
            if logs:
                _logger.warning("%s=%r is not a sampler known here; using %s", SAMPLER_VARIABLE, name, _DEFAULT)
            name = _DEFAULT
        root = name.removeprefix(_PARENT_BASED)
        ratio = _ratio(environ, logs) if root == _RATIO else float(root == "always_on")
        return cls(ratio, follows_parent=name.startswith(_PARENT_BASED))


class RateLimit:
    """At most `per_second` traces a second, and as many at once: what is not used is not saved for longer than that.

    A bucket of tokens, refilled as the clock goes. From several threads at once one trace more may pass.
    """

    __slots__ = ("_last_ns", "_most", "_ns_per_trace", "_tokens")

    def __init__(self, per_second: float, now_ns: int) -> None:
        self._ns_per_trace = 1e9 / per_second
        self._most = max(1.0, per_second)
        self._tokens = self._most
        self._last_ns = now_ns

    def takes(self, now_ns: int) -> bool:
        """Whether another trace may begin now."""
        tokens = min(self._most, self._tokens + (now_ns - self._last_ns) / self._ns_per_trace)
        self._last_ns = now_ns
        if tokens < 1.0:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1.0
        return True


def _ratio(environ: Mapping[str, str], logs: bool) -> float:
    text = environ.get(SAMPLER_ARGUMENT_VARIABLE, "").strip()
    if not text:
        return 1.0
    try:
        return Sampler(float(text)).ratio
    except ValueError:  # ConfigError is one
        if logs:
            _logger.warning("%s=%r is not a number from 0 to 1; using 1", SAMPLER_ARGUMENT_VARIABLE, text)
        return 1.0


ALWAYS_ON: Final = Sampler()
