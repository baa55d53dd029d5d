"""OTLP/JSON: what protobuf's own JSON mapping gets different from the OpenTelemetry protocol, and the trace file.

The protocol writes trace and span ids in hexadecimal where protobuf's mapping writes base64. The rest agrees: 64-bit
integers are strings, enums are numbers, keys are lowerCamelCase.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from typing import Any, Final

__all__ = ["TraceFile", "ids_to_base64", "ids_to_hex", "to_line"]

_ID_KEYS: Final = ("traceId", "spanId", "parentSpanId")

_FILE_MODE: Final = 0o600  # exception texts may hold what the user's program works on


def to_line(request: dict[str, Any]) -> bytes:
    """One line of a trace file: an ExportTraceServiceRequest, as protobuf's mapping gives it, made OTLP/JSON."""
    return json.dumps(ids_to_hex(request), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def ids_to_hex(request: dict[str, Any]) -> dict[str, Any]:
    """`request` with every id in hexadecimal, changed in place."""
    return _change_ids(request, lambda text: base64.b64decode(text).hex())


def ids_to_base64(request: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `ids_to_hex`: what protobuf's own parser can read, changed in place."""
    return _change_ids(request, lambda text: base64.b64encode(bytes.fromhex(text)).decode())


def _change_ids(request: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    for resource_spans in request.get("resourceSpans", ()):
        for scope_spans in resource_spans.get("scopeSpans", ()):
            for span in scope_spans.get("spans", ()):
                for holder in (span, *span.get("links", ())):
                    for key in _ID_KEYS:
                        if key in holder:
                            holder[key] = change(holder[key])
    return request


class TraceFile:
    """A file of OTLP/JSON lines that several processes may append to at once.

    Each line is one write to a descriptor opened for appending, which the kernel does not interleave with another.
    """

    def __init__(self, path: str, bytes_max: int) -> None:
        """Opens or creates `path`, readable by its owner alone. Raises OSError."""
        self._bytes_max = bytes_max
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)

    def append(self, line: bytes) -> None:
        """Write `line` whole. Raises OSError when the disk is full, or the file would exceed its bound."""
        if os.fstat(self._descriptor).st_size + len(line) > self._bytes_max:
            raise OSError(f"the trace file has reached its bound of {self._bytes_max} bytes")
        written = os.write(self._descriptor, line)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes fitted on the disk")

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
