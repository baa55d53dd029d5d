"""Spans that users open with OpenTelemetry themselves: exported with ours, and kept among the node's recent ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider, sampling
from opentelemetry.trace import SpanContext

from partisan_actors.telemetry.events import Scope
from partisan_actors.telemetry.plain_span import PlainSpan, span_id_text, trace_id_text
from partisan_actors.telemetry.recent import Kept, RecentSpans
from partisan_actors.telemetry.sampler import Sampler

__all__ = ["AdoptingProvider", "KeepingUserSpans", "adopt_user_spans", "disown_user_spans"]

SPAN_BYTES: Final = 2_000
_OUR_SCOPES: Final = frozenset(scope.value for scope in Scope)


class KeepingUserSpans(SpanProcessor):
    """Keeps users' spans in `recent`. Ours are there already, and are passed over."""

    def __init__(self, recent: RecentSpans) -> None:
        self._recent = recent
        self._is_open = True

    def on_end(self, span: ReadableSpan) -> None:
        scope, context = span.instrumentation_scope, span.get_span_context()
        if not self._is_open or context is None or (scope is not None and scope.name in _OUR_SCOPES):
            return
        if context.trace_flags.sampled:
            self._recent.add(Kept(context.trace_id, SPAN_BYTES + _text_bytes(span), span, _READER))

    def shutdown(self) -> None:
        self._is_open = False


class _UserSpanReader:
    """Reads spans of the SDK."""

    def names(self, source: ReadableSpan) -> Iterable[tuple[str, str]]:
        return ((source.name, source.kind.name.lower()),)

    def spans(self, source: ReadableSpan) -> Iterable[PlainSpan]:
        context, scope, status = source.get_span_context(), source.instrumentation_scope, source.status
        assert context is not None
        start_ns = source.start_time or 0
        span: PlainSpan = {
            **_ids(context),
            "parent_id": span_id_text(source.parent.span_id) if source.parent is not None else None,
            "name": source.name,
            "kind": source.kind.name.lower(),
            "start_ns": start_ns,
            "end_ns": max(start_ns, source.end_time or 0),
            "status": status.status_code.name.lower(),
            "status_message": status.description or "",
            "attributes": _plain(source.attributes),
            "events": [
                {"name": event.name, "time_ns": event.timestamp, "attributes": _plain(event.attributes)}
                for event in source.events
            ],
            "links": [{**_ids(link.context), "attributes": _plain(link.attributes)} for link in source.links],
            "trace_state": context.trace_state.to_header() if context.trace_state else "",
            "scope": scope.name if scope is not None else "",
            "scope_version": (scope.version if scope is not None else "") or "",
            "resource": _plain(source.resource.attributes),
        }
        return (span,)


_READER: Final = _UserSpanReader()


class _AdoptedSpans(SpanProcessor):
    """Passes the spans that users open to the processors of whichever node traces now."""

    def __init__(self) -> None:
        self.targets: tuple[SpanProcessor, ...] = ()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for target in self.targets:
            target.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        for target in self.targets:
            target.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        flushed = [target.force_flush(timeout_millis) for target in self.targets]
        return all(flushed)


class AdoptingProvider(TracerProvider):
    """The global provider of a process that has not installed its own. OpenTelemetry lets it be set once only."""

    def __init__(self, resource: Resource) -> None:
        super().__init__(sampler=_sampler(), resource=resource, shutdown_on_exit=False)
        self.adopted = _AdoptedSpans()
        self.add_span_processor(self.adopted)


def _sampler() -> sampling.Sampler:
    """The one that the environment names, of which the SDK would log again what it does not understand."""
    ours = Sampler.from_environment(os.environ, logs=False)
    root = sampling.TraceIdRatioBased(ours.ratio)
    return sampling.ParentBased(root) if ours.follows_parent else root


def adopt_user_spans(resource: Resource, targets: Sequence[SpanProcessor]) -> None:
    """Have users' spans given to `targets`, unless the program has a provider of its own."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        provider = AdoptingProvider(resource)
        trace.set_tracer_provider(provider)
    if isinstance(provider, AdoptingProvider):
        provider.adopted.targets = tuple(targets)


def disown_user_spans(targets: tuple[SpanProcessor, ...]) -> None:
    """Undo `adopt_user_spans`, if nobody has done it again since."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, AdoptingProvider) and provider.adopted.targets == targets:
        provider.adopted.targets = ()


def _ids(context: SpanContext) -> dict[str, Any]:
    return {"trace_id": trace_id_text(context.trace_id), "span_id": span_id_text(context.span_id)}


def _plain(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in (attributes or {}).items()}


def _text_bytes(span: ReadableSpan) -> int:
    holders = [span.attributes or {}, *(event.attributes or {} for event in span.events)]
    return sum(len(value) for holder in holders for value in holder.values() if isinstance(value, str))
