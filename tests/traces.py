"""Looking at exported spans as a tree: who is whose parent, on which node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.otlp_receiver import Located, attributes_of, locate

INTERNAL = Span.SPAN_KIND_INTERNAL
SERVER = Span.SPAN_KIND_SERVER
CLIENT = Span.SPAN_KIND_CLIENT
PRODUCER = Span.SPAN_KIND_PRODUCER
CONSUMER = Span.SPAN_KIND_CONSUMER


class Node:
    """One span, and what is below it."""

    def __init__(self, located: Located) -> None:
        self._located = located
        self.name = located.span.name
        self.kind = located.span.kind
        self.attributes: dict[str, Any] = attributes_of(located.span)
        self.node: str = attributes_of(located.resource).get("partisan.node.name", "")
        self.children: list[Node] = []

    def __repr__(self) -> str:
        return f"{self.name} ({Span.SpanKind.Name(self.kind)[10:].lower()}, {self.node})"

    @property
    def span(self) -> Span:
        """The span as it was received."""
        return self._located.span

    @property
    def duration_ns(self) -> int:
        """How long it took."""
        return int(self.span.end_time_unix_nano - self.span.start_time_unix_nano)

    def below(self) -> Iterator[Node]:
        """This one and all below, in the order of their starts."""
        yield self
        for child in self.children:
            yield from child.below()

    def child(self, name: str, kind: int = INTERNAL) -> Node:
        """The only child of that name and kind."""
        return _only(self.children, name, kind, f"below {self}")

    def shape(self) -> Any:
        """The tree as names: a span without children is its name, one with children its name and theirs."""
        return self.name if not self.children else (self.name, [child.shape() for child in self.children])


class Forest:
    """All spans of a run."""

    def __init__(self, requests: Sequence[ExportTraceServiceRequest]) -> None:
        nodes = {located.span.span_id: Node(located) for located in locate(requests)}
        self.roots: list[Node] = []
        for node in sorted(nodes.values(), key=lambda node: (node.span.start_time_unix_nano, node.duration_ns)):
            parent = nodes.get(node.span.parent_span_id)
            (self.roots if parent is None else parent.children).append(node)

    def __iter__(self) -> Iterator[Node]:
        for root in self.roots:
            yield from root.below()

    def root(self, name: str, kind: int = INTERNAL) -> Node:
        """The only root of that name and kind."""
        return _only(self.roots, name, kind, "among the roots")

    def all(self, name: str, kind: int) -> list[Node]:
        """Every span of that name and kind."""
        return [node for node in self if (node.name, node.kind) == (name, kind)]

    def text(self) -> str:
        """The whole forest, for a failing test's message."""
        lines: list[str] = []

        def add(node: Node, depth: int) -> None:
            lines.append("  " * depth + repr(node))
            for child in node.children:
                add(child, depth + 1)

        for root in self.roots:
            add(root, 0)
        return "\n".join(lines)


def _only(nodes: Sequence[Node], name: str, kind: int, where: str) -> Node:
    found = [node for node in nodes if (node.name, node.kind) == (name, kind)]
    assert len(found) == 1, f"{len(found)} spans {name!r} of kind {kind} {where}: {nodes}"
    return found[0]
