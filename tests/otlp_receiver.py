"""An OTLP/HTTP receiver in this process, and a strict judge of the spans it was sent.

`OtlpReceiver` is a real HTTP server on a loopback port; `check_spans` reads requests as a backend would and returns
every rule they break, in words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from partisan_actors.telemetry.events import (
    ATTRIBUTES,
    ERROR_TYPE,
    RESOURCE_ATTRIBUTES,
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SPANS,
    Scope,
)
from tests.otlp_http import HttpReceiver

SPAN_NAMES_MAX = 200
CLOCK_BOUND_NS = 1_000_000  # what two clocks of one host may disagree by

# What an identity looks like in a name: an actor, object or task id, an incarnation, a trace or span id, a number.
_IDENTITY = re.compile(r"(actor|object|task):|~[0-9a-f]{6,}|[0-9a-f]{16,}|\d{6,}")

_OUR_SCOPES = frozenset(scope.value for scope in Scope)
_VALUE_TYPES = {"string_value": str, "bool_value": bool, "int_value": int, "double_value": float}


class OtlpReceiver(HttpReceiver[ExportTraceServiceRequest]):
    """Collects every ExportTraceServiceRequest posted to `endpoint` + ``/v1/traces``; a context manager."""

    def __init__(self, *, status: int = 200, answer: tuple[str, bytes] = ("application/x-protobuf", b"")) -> None:
        super().__init__("/v1/traces", ExportTraceServiceRequest, status=status, answer=answer)

    @property
    def endpoint(self) -> str:
        return self.base

    def spans(self) -> list[Span]:
        return [located.span for located in locate(self.requests)]

    def wait_for_spans(self, count: int, timeout_s: float = 60.0) -> list[Span]:
        """The spans received, once there are `count`; AssertionError when that takes longer than `timeout_s`."""
        self.wait_for("spans", lambda: len(self.spans()), count, timeout_s)
        return self.spans()


@dataclass(frozen=True)
class Located:
    """A span, and what it was sent under."""

    span: Span
    scope_spans: ScopeSpans
    resource: Resource

    @property
    def is_ours(self) -> bool:
        return self.scope_spans.scope.name in _OUR_SCOPES

    @property
    def label(self) -> str:
        return f"span {self.span.name!r} ({self.span.span_id.hex()})"


def locate(requests: Sequence[ExportTraceServiceRequest]) -> list[Located]:
    """Every span of `requests`, in order."""
    return [
        Located(span, scope_spans, resource_spans.resource)
        for request in requests
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


def attributes_of(holder: Span | Span.Event | Span.Link | Resource) -> dict[str, Any]:
    """The attributes as a dictionary of plain values."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in holder.attributes
    }


def check_spans(
    requests: Sequence[ExportTraceServiceRequest],
    *,
    external_parents: Collection[bytes] = (),
    forbidden_texts: Collection[str] = (),
    clock_bound_ns: int = CLOCK_BOUND_NS,
    span_names_max: int = SPAN_NAMES_MAX,
) -> list[str]:
    """Every broken rule, as a sentence; an empty list when there is none.

    `requests` must be everything a run exported, so that every parent can be found; `external_parents` are span ids of
    parents that another program recorded. `forbidden_texts` (payloads, arguments) may stand nowhere in the export.
    Spans of other scopes than ours are held to the protocol's rules, and ours to the table in `events` as well.
    """
    spans = locate(requests)
    return [
        *_unknown_fields(requests),
        *_broken_resources(requests),
        *(problem for located in spans for problem in _broken_span(located)),
        *_broken_tree(spans, frozenset(external_parents), clock_bound_ns),
        *_unbounded_names(spans, span_names_max),
        *_leaks(requests, forbidden_texts),
    ]


def _unknown_fields(requests: Sequence[ExportTraceServiceRequest]) -> Iterator[str]:
    for request in requests:
        for message in _messages_in(request):
            if len(UnknownFieldSet(message)):
                yield f"{message.DESCRIPTOR.full_name} has fields the protocol does not know"


def _messages_in(message: Message) -> Iterator[Message]:
    yield message
    for descriptor, value in message.ListFields():
        if descriptor.type != descriptor.TYPE_MESSAGE:
            continue
        for inner in [value] if isinstance(value, Message) else value:
            yield from _messages_in(inner)


def _broken_resources(requests: Sequence[ExportTraceServiceRequest]) -> Iterator[str]:
    processes: dict[str, tuple[object, ...]] = {}
    for resource_spans in (group for request in requests for group in request.resource_spans):
        resource = resource_spans.resource
        attributes = attributes_of(resource)
        yield from _broken_attributes("the resource", resource.attributes, RESOURCE_ATTRIBUTES, closed=False)
        if not attributes.get(SERVICE_NAME):
            yield "the resource has no service.name"
        instance = attributes.get(SERVICE_INSTANCE_ID)
        if not instance:
            yield "the resource has no service.instance.id"
            continue
        process = (attributes.get("host.name"), attributes.get("process.pid"), attributes.get("partisan.node.name"))
        if processes.setdefault(str(instance), process) != process:
            yield f"service.instance.id {instance!r} names two processes: {processes[str(instance)]} and {process}"


def _broken_span(located: Located) -> Iterator[str]:
    span, label = located.span, located.label
    if len(span.trace_id) != 16 or not any(span.trace_id):
        yield f"{label}: its trace id is not 16 bytes, or zero"
    if len(span.span_id) != 8 or not any(span.span_id):
        yield f"{label}: its span id is not 8 bytes, or zero"
    if span.parent_span_id and (len(span.parent_span_id) != 8 or not any(span.parent_span_id)):
        yield f"{label}: its parent id is not 8 bytes, or zero"
    if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
        yield f"{label}: it ends before it starts, or has no time"
    if span.kind == Span.SPAN_KIND_UNSPECIFIED:
        yield f"{label}: it has no kind"
    if not located.scope_spans.scope.name:
        yield f"{label}: its scope has no name"
    for link in span.links:
        if len(link.trace_id) != 16 or len(link.span_id) != 8 or not any(link.trace_id) or not any(link.span_id):
            yield f"{label}: it has a link to no span"
    for holder in (span, *span.events, *span.links):
        yield from _broken_attributes(label, holder.attributes, ATTRIBUTES, closed=located.is_ours)
    if located.is_ours:
        yield from _broken_by_the_table(located)


def _broken_attributes(
    label: str, pairs: Sequence[KeyValue], table: Mapping[str, type], *, closed: bool
) -> Iterator[str]:
    seen: set[str] = set()
    for pair in pairs:
        if pair.key in seen:
            yield f"{label}: attribute {pair.key} is there twice"
        seen.add(pair.key)
        if pair.key in table:
            given = _type_of(pair.value)
            if given is not table[pair.key]:
                yield f"{label}: attribute {pair.key} is {given}, not {table[pair.key]}"
        elif closed or pair.key.startswith("partisan."):
            yield f"{label}: attribute {pair.key} is not in the table"


def _type_of(value: AnyValue) -> type | None:
    return _VALUE_TYPES.get(value.WhichOneof("value") or "")


def _broken_by_the_table(located: Located) -> Iterator[str]:
    span, label, scope_spans = located.span, located.label, located.scope_spans
    attributes = attributes_of(span)
    shapes = [shape for shape in SPANS if shape.pattern.fullmatch(span.name)]
    if not any((shape.kind, shape.scope.value) == (span.kind, scope_spans.scope.name) for shape in shapes):
        yield f"{label}: no such name with kind {span.kind} in scope {scope_spans.scope.name}"
    if not scope_spans.scope.version:
        yield f"{label}: its scope has no version"
    if not scope_spans.schema_url.startswith("https://opentelemetry.io/schemas/"):
        yield f"{label}: its scope has no schema URL"
    is_error = span.status.code == Status.STATUS_CODE_ERROR
    if is_error != (ERROR_TYPE in attributes):
        yield f"{label}: status {span.status.code} does not go with error.type {attributes.get(ERROR_TYPE)!r}"
    conventions = {key.split(".")[0] for key in attributes} & {"rpc", "messaging"}
    if len(conventions) > 1:
        yield f"{label}: it follows two conventions at once"
    for event in span.events:
        if not span.start_time_unix_nano <= event.time_unix_nano <= span.end_time_unix_nano:
            yield f"{label}: its event {event.name} is outside of it"
        if event.name == "exception" and "exception.type" not in attributes_of(event):
            yield f"{label}: its exception has no type"


def _broken_tree(spans: Sequence[Located], external: frozenset[bytes], clock_bound_ns: int) -> Iterator[str]:
    by_id: dict[bytes, Located] = {}
    for located in spans:
        if by_id.setdefault(located.span.span_id, located) is not located:
            yield f"{located.label}: its id is taken by {by_id[located.span.span_id].label}"
    for located in spans:
        span = located.span
        if not span.parent_span_id or span.parent_span_id in external:
            continue
        parent = by_id.get(span.parent_span_id)
        if parent is None:
            yield f"{located.label}: its parent {span.parent_span_id.hex()} was not exported"
            continue
        if parent.span.trace_id != span.trace_id:
            yield f"{located.label}: its parent is in another trace"
        if span.start_time_unix_nano < parent.span.start_time_unix_nano - clock_bound_ns:
            yield f"{located.label}: it starts before its parent"
        if _is_its_own_ancestor(span, by_id):
            yield f"{located.label}: it is its own ancestor"


def _is_its_own_ancestor(span: Span, by_id: Mapping[bytes, Located]) -> bool:
    seen: set[bytes] = set()
    at = span.parent_span_id
    while at in by_id and at not in seen:
        if at == span.span_id:
            return True
        seen.add(at)
        at = by_id[at].span.parent_span_id
    return False


def _unbounded_names(spans: Sequence[Located], names_max: int) -> Iterator[str]:
    names = sorted({located.span.name for located in spans})
    if len(names) > names_max:
        yield f"{len(names)} different span names are more than {names_max}"
    for name in names:
        if _IDENTITY.search(name):
            yield f"span name {name!r} holds an identity"


def _leaks(requests: Sequence[ExportTraceServiceRequest], forbidden_texts: Collection[str]) -> Iterator[str]:
    serialised = b"".join(request.SerializeToString() for request in requests)
    for text in forbidden_texts:
        if text.encode() in serialised:
            yield f"{text!r} was exported"
