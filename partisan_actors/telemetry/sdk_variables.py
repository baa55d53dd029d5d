"""The ``OTEL_*`` variables that OpenTelemetry's SDK fails at when they make no sense, looked at before it reads them.

As OpenTelemetry asks, a value that is not understood is logged and treated as if it were not set. The SDK raises for
some, when it is imported even, and logs a traceback for others.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Final

__all__ = ["otlp_transport", "set_aside_what_makes_no_sense"]

_COUNTS: Final = (
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_SCHEDULE_DELAY",
)
# Of these the SDK takes "unset", too, for no limit.
_LIMITS: Final = (
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
)
_NO_LIMIT: Final = "unset"
# JSON over HTTP is in OpenTelemetry's specification, and in no exporter for Python.
_TRANSPORTS: Final = {"grpc": "grpc", "http/protobuf": "http"}
_DEFAULT_PROTOCOL: Final = "http/protobuf"

_logger = logging.getLogger(__name__)


def set_aside_what_makes_no_sense(environ: MutableMapping[str, str]) -> None:
    """Take out of `environ` each number the SDK could not read, with a warning unless it is empty."""
    for name in (*_COUNTS, *_LIMITS):
        text = environ.get(name)
        if text is None or _is_count(text) or (name in _LIMITS and text.strip().lower() == _NO_LIMIT):
            continue
        del environ[name]
        if text.strip():
            _logger.warning("%s=%r is no whole number from 0 on; the default is taken", name, text[:80])


def otlp_transport(environ: Mapping[str, str], signal: str) -> str:
    """``http`` or ``grpc``, for ``TRACES`` or ``METRICS``; of another protocol it is logged that HTTP is used."""
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = environ.get(name, "").strip().lower()
        if protocol in _TRANSPORTS:
            return _TRANSPORTS[protocol]
        if protocol:
            _logger.warning("%s=%r is not spoken here; using %s", name, protocol[:80], _DEFAULT_PROTOCOL)
            break
    return _TRANSPORTS[_DEFAULT_PROTOCOL]


def _is_count(text: str) -> bool:
    try:
        return int(text) >= 0
    except ValueError:
        return False
