"""The last spans of one node, kept for whoever asks: what makes traces visible without any backend.

What is kept is what was recorded, a whole list of it at once; it becomes spans when somebody reads it. So keeping costs
the background thread next to nothing, and a question costs whoever asks about 10 µs for each span that is looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from typing import Any, Final, NamedTuple, Protocol

from partisan_actors.telemetry.plain_span import KIND_NAMES, PlainSpan, plain_span
from partisan_actors.telemetry.quick_records import (
    FIELDS,
    Entry,
    Flat,
    QuickEntry,
    context_of,
    entries_of,
    flat,
    in_full,
)
from partisan_actors.telemetry.records import Record
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
QUICK_RECORD_BYTES: Final = 250


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
        # Lists as `quick_records` has them, none empty; Kept stands where a record of the usual kind may.
        self._kept: deque[Flat] = deque()
        self._count = 0
        self._lock = Lock()

    @property
    def count(self) -> int:
        """How many entries there are. Not `__len__`: an empty store must not be a false value."""
        return self._count

    def add_records(self, records: Iterable[Record]) -> None:
        """Keep what records of ours stand for."""
        self.add_flat([item for record in records for item in flat(record)])

    def add(self, kept: Kept) -> None:
        """Keep an entry of any origin, such as a span that a user opened with OpenTelemetry."""
        self.add_flat([None, kept, 0, 0, 0, 0])

    def add_flat(self, records: Flat) -> None:
        """Keep a list that a recorder gave; it is nobody else's any more."""
        if not records:
            return
        size = _size_of(records)
        with self._lock:
            self._kept.append(records)
            self._count += len(records) // FIELDS
            self._bytes += size
            if self._count > self._spans_max:
                self._forget(self._count - self._spans_max)
            while self._bytes > self._bytes_max and self._count > 1:
                self._forget(1)

    def _forget(self, entries: int) -> None:
        self.forgotten += entries
        self._count -= entries
        while entries:
            oldest = self._kept[0]
            gone = oldest[: entries * FIELDS]
            self._bytes -= _size_of(gone)
            entries -= len(gone) // FIELDS
            # A reader may be in the middle of it, so it stays as it is.
            rest = oldest[len(gone) :]
            if rest:
                self._kept[0] = rest
            else:
                self._kept.popleft()

    def newest_first(self) -> Iterator[Kept]:
        """Everything that is kept now."""
        with self._lock:
            kept = list(self._kept)
        for records in reversed(kept):
            yield from map(self._as_kept, entries_of(records, newest_first=True))

    def _as_kept(self, entry: Any) -> Kept:
        if isinstance(entry, Kept):
            return entry
        if isinstance(entry, QuickEntry):
            return Kept(context_of(entry.wire).trace_id, QUICK_RECORD_BYTES, entry, self._records)
        return Kept(entry.context.trace_id, _bytes_of(entry), entry, self._records)


def _size_of(records: Flat) -> int:
    count, others = len(records) // FIELDS, records[::FIELDS].count(None)
    size = (count - others) * QUICK_RECORD_BYTES
    if others:
        size += sum(
            _bytes_of(what) for site, what in zip(records[::FIELDS], records[1::FIELDS], strict=True) if site is None
        )
    return size


def _bytes_of(entry: Kept | Record) -> int:
    if isinstance(entry, Kept):
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
