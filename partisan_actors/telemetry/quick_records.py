"""Records of calls of which nothing special is to be said, as tuples of atoms: most calls, where all are traced.

A record of the usual kind costs what making it costs, and as much again because Python's collector looks at it for as
long as it is kept: it holds objects that could be part of a cycle. A plain tuple of numbers and texts cannot, so the
collector lets go of it at its first look. What is the same for all calls of a method through one connection is one
text for all of them, the *site*; only readers take it apart.

Two layouts, told apart by their length; both begin with the fields of a `TraceContext`:

- asked:  trace, span, flags, parent, state, site, started, number, ended
- served: trace, span, flags, parent, state, site, arrived, number, peer, ended
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final, NamedTuple

from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.records import Address, AskFinished, AskServed, Record

__all__ = ["Entry", "QuickRecord", "asked_site", "in_full", "served_site"]

# See the head of this module.
QuickRecord = tuple[Any, ...]
# What a recorder holds: a quick record is a tuple and nothing more, the others are of classes of their own.
Entry = Record | QuickRecord

_CONTEXT_FIELDS: Final = len(TraceContext._fields)
_ASKED_FIELDS: Final = _CONTEXT_FIELDS + 4

# Sites that are kept taken apart, for readers.
SITES_MAX: Final = 1_024


class _Asked(NamedTuple):
    actor: str
    class_name: str
    method: str
    channel: str
    lane: int
    peer: str
    server: Address | None
    first_hop: Address | None
    name: str | None


class _Served(NamedTuple):
    actor: str
    class_name: str
    method: str
    channel: str
    function: str
    name: str | None


def asked_site(
    actor: object,
    class_name: str,
    method: str,
    channel: str,
    lane: int,
    peer: object,
    server: Address | None,
    first_hop: Address | None,
    name: str | None,
) -> str:
    """The site of calls that leave: what `AskFinished` says of all of them."""
    return json.dumps((str(actor), class_name, method, channel, lane, str(peer), server, first_hop, name))


def served_site(actor: object, class_name: str, method: str, channel: str, cls: type, name: str | None) -> str:
    """The site of calls that are served: what `AskServed` says of all of them, whoever calls."""
    function = f"{cls.__module__}.{class_name}.{method}"
    return json.dumps((str(actor), class_name, method, channel, function, name))


def in_full(entry: Entry) -> Record:
    """The record that a quick one stands for; any other as it is."""
    if type(entry) is not tuple:
        return entry  # type: ignore[return-value]  # only quick records are plain tuples
    context = TraceContext(*entry[:_CONTEXT_FIELDS])
    if len(entry) == _ASKED_FIELDS:
        site, started_ns, number, ended_ns = entry[_CONTEXT_FIELDS:]
        asked = _asked(site)
        return AskFinished(
            context,
            started_ns,
            ended_ns,
            asked.actor,
            asked.class_name,
            asked.method,
            None,
            asked.channel,
            asked.lane,
            asked.peer,
            server=asked.server,
            first_hop=asked.first_hop,
            message_id=number,
            name=asked.name,
        )
    site, arrived_ns, number, peer, ended_ns = entry[_CONTEXT_FIELDS:]
    served = _served(site)
    return AskServed(
        context,
        arrived_ns,
        arrived_ns,
        ended_ns,
        served.actor,
        served.class_name,
        served.method,
        None,
        served.channel,
        0,
        peer,
        function=served.function,
        message_id=number,
        name=served.name,
    )


@lru_cache(SITES_MAX)
def _asked(site: str) -> _Asked:
    known = _Asked(*json.loads(site))
    return known._replace(server=_address(known.server), first_hop=_address(known.first_hop))


@lru_cache(SITES_MAX)
def _served(site: str) -> _Served:
    return _Served(*json.loads(site))


def _address(pair: Address | None) -> Address | None:
    return None if pair is None else (pair[0], pair[1])  # JSON knows lists only
