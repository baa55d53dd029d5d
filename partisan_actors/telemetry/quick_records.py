"""Records of calls of which nothing special is to be said, laid flat: most calls, where all are traced.

A record of the usual kind costs what making it costs, and as much again because Python's collector looks at it for as
long as it is kept: it holds objects that could be part of a cycle. So a recorder keeps one list, in which each record
is FIELDS items in a row, and of a quick one they are bytes and numbers: nothing for the collector to count, and nothing
to be made but a tuple that is gone at once. Only readers take them apart:

    site, wire, span id, began, ended, number

`site` is what is the same for all calls of a method through one connection. Of a call that leaves, `wire` is its own
context in wire form, and `span id` its parent's, or 0; of one that is served, `wire` is the context it came with, and
`span id` its own. A record of the usual kind stands in the place of `wire`, where there is no site.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from partisan_actors.telemetry.context import CONTEXT_BYTES, SAMPLED, TraceContext
from partisan_actors.telemetry.records import Address, AskFinished, AskServed, Record

__all__ = [
    "FIELDS",
    "AskedSite",
    "Flat",
    "QuickEntry",
    "ServedSite",
    "context_of",
    "entries_of",
    "flat",
    "has_ids",
    "in_full",
    "is_quick_wire",
]

# How many items a record is in a flat list.
FIELDS: Final = 6

# Records, one after another.
Flat = list[Any]


class AskedSite(NamedTuple):
    """What `AskFinished` says of all calls of a method that leave by one connection."""

    actor: object
    class_name: str
    method: str
    channel: str
    lane: int
    peer: object
    server: Address | None
    first_hop: Address | None
    name: str | None


class ServedSite(NamedTuple):
    """What `AskServed` says of all calls of a method that come from one node."""

    actor: object
    class_name: str
    method: str
    channel: str
    peer: object
    function: str
    name: str | None


class QuickEntry(NamedTuple):
    """A quick record, taken out of its list."""

    site: AskedSite | ServedSite
    wire: bytes
    span_id: int
    began_ns: int
    ended_ns: int
    number: int


# What readers are given: a quick record, or one of the usual kind.
Entry = QuickEntry | Record


def is_quick_wire(wire: bytes) -> bool:
    """Whether `wire` is a sampled context of this version with nothing behind; `entries_of` asks whether it has ids."""
    return len(wire) == CONTEXT_BYTES and wire[-1] & SAMPLED != 0 and not wire[0]


def has_ids(wire: bytes) -> bool:
    """Whether a quick `wire` names a trace and a span: one of zeros is none, and nothing may become part of it."""
    return any(wire[1:17]) and any(wire[17:25])


def context_of(wire: bytes, own_span_id: int = 0) -> TraceContext:
    """The context in a quick `wire`; with `own_span_id` that of a child of it."""
    trace_id, span_id, flags = int.from_bytes(wire[1:17]), int.from_bytes(wire[17:25]), wire[25]
    if own_span_id:
        return TraceContext(trace_id, own_span_id, flags, span_id)
    return TraceContext(trace_id, span_id, flags)


def flat(record: Record) -> tuple[Any, ...]:
    """A record of the usual kind as FIELDS items."""
    return (None, record, 0, 0, 0, 0)


def entries_of(records: Flat, newest_first: bool = False) -> Iterator[Entry]:
    """Take a list of records apart; quick ones without a trace or a span are left out: their sender made them up."""
    starts = range(0, len(records), FIELDS)
    for start in reversed(starts) if newest_first else starts:
        site, what, *rest = records[start : start + FIELDS]
        if site is None:
            yield what
        elif has_ids(what):
            yield QuickEntry(site, what, *rest)


def in_full(entry: Entry) -> Record:
    """The record that a quick one stands for; any other as it is."""
    if not isinstance(entry, QuickEntry):
        return entry
    site, wire, span_id, began_ns, ended_ns, number = entry
    if isinstance(site, AskedSite):
        return AskFinished(
            context_of(wire)._replace(parent_span_id=span_id),
            began_ns,
            ended_ns,
            site.actor,
            site.class_name,
            site.method,
            None,
            site.channel,
            site.lane,
            site.peer,
            server=site.server,
            first_hop=site.first_hop,
            message_id=number,
            name=site.name,
        )
    return AskServed(
        context_of(wire, span_id),
        began_ns,
        began_ns,
        ended_ns,
        site.actor,
        site.class_name,
        site.method,
        None,
        site.channel,
        0,
        site.peer,
        function=site.function,
        message_id=number,
        name=site.name,
    )
