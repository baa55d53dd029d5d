"""The one table of metrics: names, types, units and attributes of everything that a node counts or measures.

What a node tells, what Prometheus and OpenTelemetry get, the reference page and the tests all read this table. Rules:

1.  A name, and the key of an attribute, is one of OpenTelemetry's semantic conventions, or begins with ``partisan.``.
2.  Values of attributes are few: classes, methods, channels, states. Identities of actors and nodes are none of them.
3.  Durations are in seconds, and all have the bounds of `histogram.BOUNDS_S`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from partisan_actors.telemetry.histogram import BOUNDS_S
from partisan_actors.values import dataclass

__all__ = ["COUNTER", "GAUGE", "HISTOGRAM", "METRICS", "UPDOWNCOUNTER", "Metric", "Point", "histogram_fields", "point"]

# Only grows; goes up and down, and adds up over nodes; goes up and down, and does not; durations.
COUNTER: Final = "counter"
UPDOWNCOUNTER: Final = "updowncounter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"

# One value of one metric, as plain data.
Point = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table. `attributes` are the keys that its points have; ``error.type`` only those of failures."""

    name: str
    type: str
    unit: str
    description: str
    attributes: tuple[str, ...] = ()


_RPC: Final = ("rpc.system.name", "rpc.method", "rpc.response.status_code", "error.type")
_MESSAGING: Final = ("messaging.system", "messaging.operation.name", "messaging.destination.template")
_CLASS: Final = ("partisan.actor.class",)
_METHOD: Final = ("partisan.actor.class", "partisan.actor.method", "partisan.call.kind")
_CHANNEL: Final = ("partisan.channel",)
_DIRECTION: Final = ("partisan.channel", "partisan.direction")

_TABLE: Final = (
    # Calls, where they run.
    Metric("rpc.server.call.duration", HISTOGRAM, "s", "How long calls of actors' methods and tasks ran.", _RPC),
    Metric(
        "messaging.process.duration",
        HISTOGRAM,
        "s",
        "How long methods ran that were told.",
        (*_MESSAGING, "error.type"),
    ),
    # And as whoever calls sees them.
    Metric("rpc.client.call.duration", HISTOGRAM, "s", "How long callers waited for the results of calls.", _RPC),
    Metric("messaging.client.sent.messages", COUNTER, "{message}", "Tells that were sent.", _MESSAGING),
    Metric("messaging.client.consumed.messages", COUNTER, "{message}", "Tells that have arrived.", _MESSAGING),
    Metric("partisan.calls", COUNTER, "{call}", "Calls, tells and tasks that have arrived.", _METHOD),
    Metric("partisan.call.errors", COUNTER, "{call}", "Those that raised, or were refused.", _METHOD),
    Metric("partisan.calls.in_flight", UPDOWNCOUNTER, "{call}", "Those that have not ended.", _METHOD),
    Metric("partisan.mailbox.wait.duration", HISTOGRAM, "s", "How long calls waited until they ran.", _CLASS),
    Metric("partisan.mailbox.size", UPDOWNCOUNTER, "{message}", "Messages that wait in mailboxes.", _CLASS),
    # Actors and tasks.
    Metric(
        "partisan.actor.count",
        UPDOWNCOUNTER,
        "{actor}",
        "Actors on the node.",
        ("partisan.actor.class", "partisan.actor.state"),
    ),
    Metric("partisan.actor.restarts", COUNTER, "{restart}", "Actors that the node has made again.", _CLASS),
    Metric(
        "partisan.dead_letters",
        COUNTER,
        "{message}",
        "Messages that reached nobody, and that nobody waits for.",
        ("partisan.actor.class", "partisan.dead_letter.reason"),
    ),
    Metric("partisan.task.count", UPDOWNCOUNTER, "{task}", "Tasks on the node.", ("partisan.task.state",)),
    # Channels.
    Metric("partisan.channel.io", COUNTER, "By", "What was sent and received, headers included.", _DIRECTION),
    Metric("partisan.channel.messages", COUNTER, "{message}", "Messages that were sent and received.", _DIRECTION),
    Metric("partisan.channel.queue.size", UPDOWNCOUNTER, "{message}", "Messages that wait to be written.", _CHANNEL),
    Metric("partisan.channel.queue.usage", UPDOWNCOUNTER, "By", "What they take.", _CHANNEL),
    Metric("partisan.channel.lanes", UPDOWNCOUNTER, "{connection}", "Connections that are open.", _CHANNEL),
    Metric("partisan.channel.reconnects", COUNTER, "{connection}", "Lanes that broke and went on.", _CHANNEL),
    # The overlay and the broadcast tree.
    Metric(
        "partisan.overlay.view.size", GAUGE, "{node}", "Nodes in a view of the overlay.", ("partisan.overlay.view",)
    ),
    Metric(
        "partisan.overlay.asymmetric_links",
        GAUGE,
        "{link}",
        "Neighbours that have told the cluster of their own, without this node among them.",
    ),
    Metric(
        "partisan.overlay.messages",
        COUNTER,
        "{message}",
        "Messages of the protocols that keep the cluster together.",
        ("partisan.message.type", "partisan.direction"),
    ),
    Metric(
        "partisan.overlay.failures", COUNTER, "{failure}", "Failures that were noticed.", ("partisan.failure.type",)
    ),
    Metric(
        "partisan.broadcast.messages",
        COUNTER,
        "{message}",
        "Messages of the broadcast tree that have arrived.",
        ("partisan.broadcast.path",),
    ),
    Metric("partisan.broadcast.redundancy", GAUGE, "1", "Payloads that arrived once more, for each that was new."),
    Metric("partisan.cluster.nodes", GAUGE, "{node}", "Nodes, as this one sees them.", ("partisan.node.state",)),
    Metric("partisan.node.up", GAUGE, "", "1 if the node tells what it measures, 0 if it does not answer."),
    # Objects.
    Metric("partisan.object_store.usage", UPDOWNCOUNTER, "By", "Large values that are in memory."),
    Metric("partisan.object_store.limit", UPDOWNCOUNTER, "By", "How much there is room for."),
    Metric(
        "partisan.object_store.requests",
        COUNTER,
        "{object}",
        "Values of other nodes: at hand, fetched; and large ones written to disk, and read again.",
        ("partisan.object_store.result",),
    ),
    # The process.
    Metric(
        "partisan.loop.lag",
        HISTOGRAM,
        "s",
        "How late the loop was for its own timers.",
        ("partisan.process.role",),
    ),
    Metric("partisan.telemetry.dropped", COUNTER, "{record}", "Records that there was no room for until exported."),
    Metric("partisan.telemetry.exported", COUNTER, "{span}", "Spans that exporters have handed over."),
    Metric("partisan.telemetry.export_failed", COUNTER, "{span}", "Spans that exporters could not hand over."),
    Metric("process.cpu.time", COUNTER, "s", "Processor time of the process.", ("cpu.mode",)),
    Metric("process.memory.usage", UPDOWNCOUNTER, "By", "Memory of the process that is resident."),
    Metric("process.open_file_descriptor.count", UPDOWNCOUNTER, "{file_descriptor}", "File descriptors it has open."),
    Metric("process.thread.count", UPDOWNCOUNTER, "{thread}", "Threads of the process."),
    Metric("process.uptime", GAUGE, "s", "How long the node has been running."),
)
METRICS: Final[Mapping[str, Metric]] = MappingProxyType({metric.name: metric for metric in _TABLE})


def point(name: str, value: Any, *attributes: str | None) -> Point:
    """A value of a metric of the table, with the values of its attributes, in the table's order; None for one it lacks.

    `value` is a number, or, for a histogram, what `Histogram.plain` gives.
    """
    metric = METRICS[name]
    made: Point = {
        "name": name,
        "type": metric.type,
        "unit": metric.unit,
        "description": metric.description,
        "attributes": {
            key: value for key, value in zip(metric.attributes, attributes, strict=True) if value is not None
        },
    }
    return made | histogram_fields(value) if metric.type == HISTOGRAM else made | {"value": value}


def histogram_fields(plain: Mapping[str, Any]) -> Point:
    """The fields of a point that are a histogram's, of what `Histogram.plain` gives."""
    return {"count": plain["count"], "sum": plain["sum"], "bounds": list(BOUNDS_S), "buckets": plain["buckets"]}
