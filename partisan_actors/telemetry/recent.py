"""The last spans of one node, kept for whoever asks: what makes traces visible without any backend.

What is kept is what was recorded; it becomes spans when somebody reads it. So keeping costs the background thread a
look at its size, and a question costs whoever asks about 10 µs for each span that is looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, Final, NamedTuple, Protocol

from partisan_actors.telemetry.plain_span import KIND_NAMES, PlainSpan, plain_span
from partisan_actors.telemetry.quick_records import Entry, in_full
from partisan_actors.telemetry.resource import package_version
from partisan_actors.telemetry.span_names import name_of
from partisan_actors.telemetry.spans import has_more, spans_of
from partisan_actors.telemetry.wall_clock import WallClock

__all__ = ["KEPT_BYTES_MAX", "KEPT_SPANS_MAX", "Kept", "Reader", "RecentSpans"]

KEPT_SPANS_MAX: Final = 4_096
KEPT_BYTES_MAX: Final = 8 * 1024 * 1024

# What a record takes without the texts of an exception: an estimate, as all of this is.
RECORD_BYTES: Final = 600
# In the short form.
QUICK_RECORD_BYTES: Final = 350


class Reader(Protocol):
    """Makes spans of what was kept."""

    def names(self, source: Any) -> Iterable[tuple[str, str]]:
        """The name and kind of each span."""
        ...

    def spans(self, source: Any) -> Iterable[PlainSpan]:
        """The spans."""
        ...


class Kept(NamedTuple):
    """One entry: a span, or what becomes several when `reader` reads `source`."""

    trace_id: int
    size_bytes: int
    source: Any
    reader: Reader

    def names(self) -> Iterable[tuple[str, str]]:
        """The name and kind of each of its spans, for less than they cost."""
        return self.reader.names(self.source)

    def spans(self) -> Iterable[PlainSpan]:
        """Its spans."""
        return self.reader.spans(self.source)


class RecentSpans:
    """At most `spans_max` entries of about `bytes_max` bytes; the oldest is forgotten first. Safe from any thread."""

    def __init__(self, clock: WallClock, *, spans_max: int = KEPT_SPANS_MAX, bytes_max: int = KEPT_BYTES_MAX) -> None:
        # What is said of all spans, who sends them; set when that is known.
        self.resource: Mapping[str, Any] = {}
        # How many entries had to make room for later ones.
        self.forgotten = 0
        self.clock = clock
        self._records = _RecordReader(self)
        self._spans_max = spans_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: deque[Entry | Kept] = deque()
        self._lock = Lock()

    @property
    def count(self) -> int:
        """How many entries there are. Not `__len__`: an empty store must not be a false value."""
        return len(self._kept)

    def add_records(self, records: Sequence[Entry]) -> None:
        """Keep what records of ours stand for."""
        self._add(records)

    def add(self, kept: Kept) -> None:
        """Keep an entry of any origin, such as a span that a user opened with OpenTelemetry."""
        self._add((kept,))

    def _add(self, entries: Sequence[Entry | Kept]) -> None:
        quick = sum([type(entry) is tuple for entry in entries])
        size = quick * QUICK_RECORD_BYTES
        if quick < len(entries):
            size += sum(_size_of(entry) for entry in entries if type(entry) is not tuple)
        with self._lock:
            kept = self._kept
            kept.extend(entries)
            self._bytes += size
            while len(kept) > self._spans_max or (self._bytes > self._bytes_max and len(kept) > 1):
                oldest = kept.popleft()
                self._bytes -= QUICK_RECORD_BYTES if type(oldest) is tuple else _size_of(oldest)
                self.forgotten += 1

    def newest_first(self) -> Iterator[Kept]:
        """Everything that is kept now."""
        with self._lock:
            kept = list(self._kept)
        return map(self._as_kept, reversed(kept))

    def _as_kept(self, entry: Entry | Kept) -> Kept:
        if isinstance(entry, Kept):
            return entry
        trace_id = entry[0] if type(entry) is tuple else in_full(entry).context.trace_id
        return Kept(trace_id, _size_of(entry), entry, self._records)


def _size_of(entry: Entry | Kept) -> int:
    if type(entry) is tuple:
        return QUICK_RECORD_BYTES
    if type(entry) is Kept:
        return entry.size_bytes
    failure = getattr(entry, "failure", None)
    return RECORD_BYTES if failure is None else RECORD_BYTES + len(failure.message) + len(failure.stacktrace)


class _RecordReader:
    """Reads records of ours."""

    def __init__(self, recent: RecentSpans) -> None:
        self._recent = recent

    def names(self, source: Entry) -> Iterable[tuple[str, str]]:
        record = in_full(source)
        if has_more(record):
            return [(each.name, KIND_NAMES[each.kind]) for each in spans_of(record)]
        name, kind = name_of(record)
        return ((name, KIND_NAMES[kind]),)

    def spans(self, source: Entry) -> Iterable[PlainSpan]:
        recent, values, version = self._recent, spans_of(in_full(source)), package_version()
        return [plain_span(each, recent.clock.to_unix_ns, recent.resource, version) for each in values]
