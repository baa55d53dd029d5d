"""W3C trace context: which span is the current one, as a value, as 26 bytes on the wire, and as text at the edges.

Rules (W3C Trace Context, level 2):

1.  The flags travel verbatim. OpenTelemetry SDKs set more than the sampled bit, and a later version may mean something
    by the others.
2.  An unknown version is read as version 0 when its length allows; otherwise the context is dropped, never the message.
3.  A tracestate that is none, or is longer than TRACE_STATE_CHARS_MAX, is dropped, and the context kept.
4.  A context that is not sampled travels as well: without it the next node would take the call for a new trace and
    decide again.
"""

from __future__ import annotations

import re
import struct
from contextvars import ContextVar
from typing import Final, NamedTuple

__all__ = [
    "CONTEXT_BYTES",
    "LATE",
    "NOT_SAMPLED",
    "RANDOM_TRACE_ID",
    "SAMPLED",
    "TRACE_STATE_CHARS_MAX",
    "TraceContext",
    "current_context",
    "unpack_layout",
    "wire_is_sampled",
]

SAMPLED: Final = 0x01
RANDOM_TRACE_ID: Final = 0x02
# Stays on this node: the span was not to be recorded, and was for what came of it.
LATE: Final = 0x100

CONTEXT_BYTES: Final = 26
_FLAGS_OFFSET: Final = CONTEXT_BYTES - 1

# W3C asks implementations to carry at least this much. A longer list is dropped whole, because cutting it would leave
# a vendor with half an entry.
TRACE_STATE_CHARS_MAX: Final = 512
TRACE_STATE_MEMBERS_MAX: Final = 32

_VERSION: Final = 0
_INVALID_VERSION: Final = 0xFF
_LAYOUT: Final = struct.Struct(">BQQQB")  # version, trace id in two halves, span id, flags
# Of CONTEXT_BYTES: the version, the trace id in two halves, the span id and the flags, as they are.
unpack_layout: Final = _LAYOUT.unpack
_LOW_64: Final = (1 << 64) - 1
_TRACEPARENT_CHARS: Final = 55
# One member of a tracestate: a key, of a tenant if there is an @ in it, and a value.
_MEMBER: Final = re.compile(
    r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)


class TraceContext(NamedTuple):
    """One span of one trace: what a message carries so that the next span can be its child.

    A tuple, and not a dataclass as other values are, because every traced call makes two of them: 0.2 µs each against
    0.8 µs. `parent_span_id` (0 in a root) stays on this node; it is what the finished span will name as its parent.
    """

    trace_id: int
    span_id: int
    flags: int
    parent_span_id: int = 0
    trace_state: str = ""

    @property
    def is_sampled(self) -> bool:
        return bool(self.flags & SAMPLED)

    def pack(self) -> bytes:
        """The wire form: 26 bytes, then the tracestate, if there is one, as UTF-8."""
        trace_id = self.trace_id
        packed = _LAYOUT.pack(_VERSION, trace_id >> 64, trace_id & _LOW_64, self.span_id, self.flags & 0xFF)
        return packed + self.trace_state.encode() if self.trace_state else packed

    @classmethod
    def unpack(cls, wire: bytes) -> TraceContext | None:
        """The inverse of `pack`, or None when `wire` holds no usable context. Never raises on any bytes."""
        length = len(wire)
        if length < CONTEXT_BYTES:
            return None
        version, high, low, span_id, flags = _LAYOUT.unpack_from(wire)
        trace_id = high << 64 | low
        if version == _INVALID_VERSION or not trace_id or not span_id:
            return None
        if length == CONTEXT_BYTES or version != _VERSION:  # what follows in a later version is not ours to read
            # tuple.__new__ is what cls(...) ends in; without the call in between it takes half the time.
            return tuple.__new__(cls, (trace_id, span_id, flags, 0, ""))
        return cls(trace_id, span_id, flags, 0, _trace_state(wire[CONTEXT_BYTES:]))

    def to_traceparent(self) -> str:
        """The text of a ``traceparent`` header."""
        return f"{_VERSION:02x}-{self.trace_id:032x}-{self.span_id:016x}-{self.flags & 0xFF:02x}"

    @classmethod
    def from_traceparent(cls, text: str, trace_state: str = "") -> TraceContext | None:
        """The context in a ``traceparent`` (and ``tracestate``) header, or None when it is not one."""
        text = text.strip()
        parts = text[:_TRACEPARENT_CHARS].split("-")
        if [len(part) for part in parts] != [2, 32, 16, 2] or any(not _is_lower_hex(part) for part in parts):
            return None
        version, trace_id, span_id, flags = (int(part, 16) for part in parts)
        rest = text[_TRACEPARENT_CHARS:]
        if version == _INVALID_VERSION or not trace_id or not span_id:
            return None
        if rest and (version == _VERSION or not rest.startswith("-")):
            return None
        return cls(trace_id, span_id, flags, 0, _checked(trace_state))


# What runs under this one makes no spans, and neither does what it calls. It names no span, so it is never sent.
NOT_SAMPLED: Final = TraceContext(0, 0, 0)

# The innermost span of ours that this thread or coroutine runs under. `Recorder.attach` sets it.
current_context: ContextVar[TraceContext | None] = ContextVar("partisan_actors.trace_context", default=None)


def wire_is_sampled(wire: bytes) -> bool:
    """Whether a packed context is sampled, without unpacking it: what a relay asks of every message."""
    return len(wire) >= CONTEXT_BYTES and bool(wire[_FLAGS_OFFSET] & SAMPLED)


def _trace_state(encoded: bytes) -> str:
    if len(encoded) > TRACE_STATE_CHARS_MAX:
        return ""
    try:
        return _checked(encoded.decode("ascii"))
    except UnicodeDecodeError:
        return ""


def _checked(trace_state: str) -> str:
    """It, if it is one, which every exporter would otherwise complain about for each span; else nothing."""
    members = [member.strip(" \t") for member in trace_state[: TRACE_STATE_CHARS_MAX + 1].split(",")]
    is_one = len(trace_state) <= TRACE_STATE_CHARS_MAX and len(members) <= TRACE_STATE_MEMBERS_MAX
    return trace_state if is_one and all(not member or _MEMBER.fullmatch(member) for member in members) else ""


def _is_lower_hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)
