"""Points of metrics that are made of several counters each: of calls, of channels, and of what protocols say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.node.node import Node
from partisan_actors.node.protocol_counts import ProtocolCounts
from partisan_actors.node.traffic import Traffics
from partisan_actors.telemetry.events import SYSTEM
from partisan_actors.telemetry.histogram import merged
from partisan_actors.telemetry.meters import TELL, Meters
from partisan_actors.telemetry.metrics import Point, point
from partisan_actors.telemetry.sent_meters import SentMeters

__all__ = ["asymmetric_links", "broadcast_row", "call_points", "channel_points", "protocol_points", "sent_points"]

# By which way of the broadcast tree a message of that kind comes.
PATHS: Final[Mapping[str, str]] = {
    "plumtree.gossip": "eager",
    "plumtree.ihave": "lazy",
    "plumtree.graft": "graft",
    "plumtree.prune": "prune",
    "flood.flooded": "flood",
}
_PAYLOADS: Final = ("plumtree.gossip", "flood.flooded")


def call_points(meters: Meters, in_flight: Mapping[tuple[str, str, str], int]) -> list[Point]:
    """Of every method and every function of tasks that was called."""
    points: list[Point] = []
    waits: dict[str, list[dict[str, Any]]] = {}
    for class_name, method, kind, meter in meters.all():
        which = (class_name, method, kind)
        points.append(point("partisan.calls", meter.calls, *which))
        points.append(point("partisan.call.errors", meter.errors, *which))
        points.append(point("partisan.calls.in_flight", in_flight.get(which, 0), *which))
        if kind == TELL:
            told = (SYSTEM, method, class_name)
            for _, error, run in meter.outcomes.plain():
                points.append(point("messaging.process.duration", run, *told, error))
            points.append(point("messaging.client.consumed.messages", meter.calls, *told))
        else:
            asked = (SYSTEM, f"{class_name}/{method}")
            for status, error, run in meter.outcomes.plain():
                points.append(point("rpc.server.call.duration", run, *asked, status, error))
        waits.setdefault(class_name, []).append(meter.wait.plain())
    points += [point("partisan.mailbox.wait.duration", merged(each), class_name) for class_name, each in waits.items()]
    return points


def sent_points(sent: SentMeters) -> list[Point]:
    """Of what this node's code has called and told, wherever that runs."""
    points = [
        point("rpc.client.call.duration", took, SYSTEM, f"{class_name}/{method}", status, error)
        for class_name, method, status, error, took in sent.durations()
    ]
    for class_name, method, count in sent.told():
        points.append(point("messaging.client.sent.messages", count, SYSTEM, method, class_name))
    return points


def channel_points(traffics: Traffics) -> list[Point]:
    """Of every channel, whoever the peers are: they are rows of `Metering.channels`, and not values of attributes."""
    points: list[Point] = []
    for channel, traffic in traffics.by_channel().items():
        points += [
            point("partisan.channel.io", traffic.sent_bytes, channel, "sent"),
            point("partisan.channel.io", traffic.received_bytes, channel, "received"),
            point("partisan.channel.messages", traffic.sent_messages, channel, "sent"),
            point("partisan.channel.messages", traffic.received_messages, channel, "received"),
            point("partisan.channel.queue.size", traffic.queued_messages, channel),
            point("partisan.channel.queue.usage", traffic.queued_bytes, channel),
            point("partisan.channel.lanes", traffic.lanes, channel),
            point("partisan.channel.reconnects", traffic.reconnects, channel),
        ]
    return points


def protocol_points(node: Node) -> list[Point]:
    """Of the overlay and the broadcast tree."""
    counts = node.driver.counts
    failures = {
        "neighbour_failed": counts.lost_neighbours,
        "connection_refused": node.refused_connections,
        "connection_broken": node.broken_connections,
        "connection_stalled": node.keep_alive.one_way.cut_count,
        "frame_damaged": node.sessions.damaged_frames,
        "broadcast_dropped": node.driver.dropped,
    }
    return [
        *(point("partisan.overlay.view.size", len(view), name) for name, view in node.driver.stack.views.items()),
        point("partisan.overlay.asymmetric_links", asymmetric_links(node)),
        *(point("partisan.overlay.messages", count, kind, "sent") for kind, count in counts.sent.items()),
        *(point("partisan.overlay.messages", count, kind, "received") for kind, count in counts.heard.items()),
        *(point("partisan.overlay.failures", count, kind) for kind, count in failures.items()),
        *(point("partisan.broadcast.messages", counts.heard[kind], path) for kind, path in PATHS.items()),
        point("partisan.broadcast.redundancy", _repeated(counts) / counts.delivered if counts.delivered else 0.0),
    ]


def broadcast_row(node: Node) -> dict[str, Any]:
    """What the broadcasts of others have cost this node: how many came, how often, and over how many links."""
    counts = node.driver.counts
    return {
        "delivered": counts.delivered,
        "repeated": _repeated(counts),
        "payloads": sum(counts.heard[kind] for kind in _PAYLOADS),
        **{path: counts.heard[kind] for kind, path in PATHS.items() if kind not in _PAYLOADS},
        "hops": {str(hops): count for hops, count in sorted(counts.hops.items())},
    }


def _repeated(counts: ProtocolCounts) -> int:
    # What a payload was for another neighbour, or for the replicated map, is among those that were new.
    return max(0, sum(counts.heard[kind] for kind in _PAYLOADS) - counts.delivered)


def asymmetric_links(node: Node) -> int:
    """How many neighbours of `node` do not count it among theirs, by what their records say.

    Those follow a change of neighbours within seconds, in a cluster of a thousand within a minute. So a link that has
    just been made may count, and none does at rest.
    """
    records = [node.directory.find(peer) for peer in node.neighbours()]
    return sum(record is not None and record.is_live and node.me.name not in record.neighbours for record in records)
