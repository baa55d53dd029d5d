"""The user's own OpenTelemetry spans: ours become children of them and they become children of ours.

Nothing here imports opentelemetry. If other code of this process has loaded it, its modules are found in
`sys.modules`; as long as nobody has, every question costs one dictionary look-up.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Final, NamedTuple

from partisan_actors.telemetry.context import TRACE_STATE_CHARS_MAX, TraceContext
from partisan_actors.telemetry.quick_records import context_of

__all__ = ["OPENTELEMETRY", "QuickPlace", "UserSpans"]

# The module by which one sees that somebody uses it.
OPENTELEMETRY: Final = "opentelemetry.trace"


# What a dict can be asked.
_LOOKS: Final = (
    "__contains__",
    "__eq__",
    "__getitem__",
    "__iter__",
    "__len__",
    "__ne__",
    "__or__",
    "__repr__",
    "__reversed__",
    "__ror__",
    "copy",
    "get",
    "items",
    "keys",
    "values",
)


class QuickPlace(NamedTuple):
    """How a call with a quick wire becomes the current span, with nothing made but one object of no content.

    `make()` gets `wire` and `span_id` as attributes, and `enter(made)` is called in a new `contextvars.Context`.
    """

    make: Callable[[], Any]
    enter: Callable[[Any], object]


class _OpenTelemetry(NamedTuple):
    """The names used of opentelemetry's API, looked up once, and the class of span that stands for ours there."""

    get_current: Callable[[], Mapping[str, Any]]
    get_current_span: Callable[[], Any]
    set_span_in_context: Callable[[Any], Any]
    # The class of contexts that hold nothing but a span of ours; None where none can be made.
    our_context: type[Any] | None
    attach: Callable[[Any], object]
    detach: Callable[[Any], None]
    our_span: type[Any]
    # What gives the current context for a fifth of the price of `get_current`, and what it gives where there is none.
    place: tuple[Callable[[], object], object]
    # The variable's own, where it is known.
    attach_quickly: Callable[[Any], object]


class UserSpans:
    """The door to OpenTelemetry's current span, which opens when that package is loaded, and not before."""

    __slots__ = ("_api",)

    def __init__(self) -> None:
        self._api: _OpenTelemetry | None = None

    def innermost(self, ours: TraceContext | None) -> TraceContext | None:
        """The user's current span, or `ours` when there is none.

        A user's span is always the inner one: `attach` puts ours where users' spans look for their parent.
        """
        api = self._api or self._find()
        if api is None:
            return ours
        current = api.get_current()
        if type(current) is api.our_context:
            innermost: TraceContext = current.ours  # type: ignore[attr-defined]  # a class found at run time
            return innermost
        if not current:  # nothing is current in an empty context
            return ours
        span = api.get_current_span()
        if type(span) is api.our_span:
            context: TraceContext = span.ours
            return context
        users = span.get_span_context()
        if not users.trace_id or not users.span_id:
            return ours
        trace_state = users.trace_state.to_header() if users.trace_state else ""
        if len(trace_state) > TRACE_STATE_CHARS_MAX:  # nobody would read it, and each message would carry it
            trace_state = ""
        return TraceContext(users.trace_id, users.span_id, int(users.trace_flags), 0, trace_state)

    def place(self) -> tuple[Callable[[], object], object] | None:
        """What to call for whatever is current, and its answer when nothing is; None while nobody uses it."""
        api = self._api or self._find()
        return None if api is None else api.place

    def attach(self, context: TraceContext) -> object:
        """Make `context` the parent of spans the user will open here; returns what `detach` wants."""
        api = self._api or self._find()
        if api is None:
            return None
        current, nothing = api.place
        if api.our_context is not None and current() is nothing:
            made = api.our_context()
            made.ours = context
            return api.attach_quickly(made)
        return api.attach(api.set_span_in_context(api.our_span(context)))

    def quick_place(self) -> QuickPlace | None:
        """What does as `attach` where nothing is current and nothing will be undone; None while nobody uses it."""
        api = self._api or self._find()
        return None if api is None or api.our_context is None else QuickPlace(api.our_context, api.attach_quickly)

    def detach(self, token: object) -> None:
        """Undo one `attach`; does nothing for one made before opentelemetry was loaded."""
        if token is not None and self._api is not None:
            self._api.detach(token)

    def _find(self) -> _OpenTelemetry | None:
        trace = sys.modules.get(OPENTELEMETRY)
        if trace is None:
            return None
        try:
            context = sys.modules["opentelemetry.context"]
            our_span = _our_span_class(trace)
            self._api = _OpenTelemetry(
                context.get_current,
                trace.get_current_span,
                trace.set_span_in_context,
                _our_context_class(trace, context, our_span),
                context.attach,
                context.detach,
                our_span,
                *_place(context),
            )
        except (AttributeError, KeyError):  # another thread is in the middle of importing it: not loaded yet, then
            return None
        return self._api


def _our_context_class(trace: ModuleType, context: ModuleType, our_span: type[Any]) -> type[Any] | None:
    """A context of one span, which is made when it is looked for. Its key is found in one, as it has no public name."""
    keys = list(trace.set_span_in_context(trace.INVALID_SPAN, context.Context()))
    if len(keys) != 1 or not issubclass(context.Context, dict):
        return None
    (key,) = keys

    class OurContext(context.Context):  # type: ignore[misc,name-defined]  # a class that is found at run time
        """Most are never looked at, so to make one costs a third of what it does with its span.

        One has either `ours` or, until somebody asks for that, the wire and the span id that it is made of.
        """

        __slots__ = ("ours", "span_id", "wire")

        def __getattr__(self, name: str) -> Any:
            if name != "ours":
                raise AttributeError(name)
            self.ours = context_of(self.wire, self.span_id)
            return self.ours

    def looking(name: str) -> Callable[..., Any]:
        look = getattr(dict, name)

        def looked(self: Any, *args: Any) -> Any:
            if not dict.__len__(self):
                dict.__setitem__(self, key, our_span(self.ours))
            return look(self, *args)

        return looked

    for name in _LOOKS:
        setattr(OurContext, name, looking(name))
    return OurContext


def _place(context: ModuleType) -> tuple[tuple[Callable[[], object], object], Callable[[Any], object]]:
    """The variable behind `get_current`, which has no public name; where it is another one, `get_current` itself."""
    current = getattr(getattr(context, "_RUNTIME_CONTEXT", None), "_current_context", None)
    if isinstance(current, ContextVar):
        with suppress(LookupError):
            return (current.get, contextvars.Context().run(current.get)), current.set
    return (lambda: context.get_current() or None, None), context.attach


def _our_span_class(trace: ModuleType) -> type[Any]:
    span_context, trace_flags, trace_state = trace.SpanContext, trace.TraceFlags, trace.TraceState

    class OurSpan(trace.NonRecordingSpan):  # type: ignore[misc,name-defined]  # a class that is found at run time
        """A span of ours as OpenTelemetry sees it. Most are never looked at, so its own form is made on demand."""

        def __init__(self, ours: TraceContext) -> None:
            self.ours = ours

        @property
        def _context(self) -> Any:
            ours = self.ours
            state = trace_state.from_header([ours.trace_state]) if ours.trace_state else None
            return span_context(ours.trace_id, ours.span_id, False, trace_flags(ours.flags), state)

    return OurSpan
