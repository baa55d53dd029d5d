"""What one may ask of traces: by service, operation, tags, time and duration. Pure; a query travels as a plain dict.

A trace is found when one of its spans fulfils all that is asked, as in Jaeger: the operation of one span and the tag
of another are not enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, field, fields
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.plain_span import PlainSpan, service_of
from partisan_actors.values import dataclass

__all__ = ["LIMIT", "LIMIT_MAX", "TraceQuery", "duration_ns", "tags_of"]

LIMIT: Final = 20
LIMIT_MAX: Final = 1_500
TAGS_MAX: Final = 50
TEXT_CHARS_MAX: Final = 1_000
_INT_MAX: Final = (1 << 63) - 1

_UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)")


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """What a span has to be. Empty text and None ask for nothing; raises ConfigError for what makes no sense.

    `tags` are compared as text with the span's attributes, its events' and its resource's, and with ``error``,
    ``span.kind``, ``otel.status_code``. A span counts as of the time at which it began: `start_ns` to `end_ns`, Unix
    time. `limit` is how many traces are wanted, the newest.
    """

    service: str = ""
    operation: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    start_ns: int | None = None
    end_ns: int | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    limit: int = LIMIT

    def __post_init__(self) -> None:
        for name in ("service", "operation"):
            text = getattr(self, name)
            if not isinstance(text, str) or len(text) > TEXT_CHARS_MAX:
                raise ConfigError(name, _shown(text), f"text of at most {TEXT_CHARS_MAX} characters")
        if not isinstance(self.tags, Mapping) or len(self.tags) > TAGS_MAX:
            raise ConfigError("tags", _shown(self.tags), f"at most {TAGS_MAX} pairs of key and value")
        for key, value in self.tags.items():
            if not isinstance(key, str) or not isinstance(value, str) or len(key) + len(value) > TEXT_CHARS_MAX:
                raise ConfigError("tags", _shown((key, value)), f"texts of at most {TEXT_CHARS_MAX} characters")
        for name in ("start_ns", "end_ns", "min_duration_ns", "max_duration_ns"):
            number = getattr(self, name)
            if number is not None and (type(number) is not int or not 0 <= number <= _INT_MAX):
                raise ConfigError(name, _shown(number), "nanoseconds, not negative")
        if type(self.limit) is not int or not 1 <= self.limit <= LIMIT_MAX:
            raise ConfigError("limit", _shown(self.limit), f"a number from 1 to {LIMIT_MAX}")

    @classmethod
    def of_plain(cls, plain: Any) -> TraceQuery:
        """The query in a dict that somebody has sent. Raises ConfigError."""
        if not isinstance(plain, Mapping):
            raise ConfigError("query", _shown(plain), "a dict")
        known = [each.name for each in fields(cls)]
        for name in plain:
            if name not in known:
                raise ConfigError("query", _shown(name), f"some of {', '.join(known)}")
        return cls(**plain)

    def plain(self) -> dict[str, Any]:
        """As it travels."""
        return {**asdict(self), "tags": dict(self.tags)}

    def may_match(self, name: str) -> bool:
        """Whether a span of that name can be one that is asked for: what is cheap to know."""
        return not self.operation or name == self.operation

    def matches(self, span: PlainSpan) -> bool:
        """Whether this span is one that is asked for."""
        start_ns, duration = span["start_ns"], span["end_ns"] - span["start_ns"]
        return (
            self.may_match(span["name"])
            and (not self.service or service_of(span) == self.service)
            and (self.start_ns is None or start_ns >= self.start_ns)
            and (self.end_ns is None or start_ns <= self.end_ns)
            and (self.min_duration_ns is None or duration >= self.min_duration_ns)
            and (self.max_duration_ns is None or duration <= self.max_duration_ns)
            and all(_has_tag(span, key, value) for key, value in self.tags.items())
        )


def duration_ns(text: str, field_name: str = "duration") -> int:
    """Nanoseconds of a duration such as ``1.5ms``, ``100us``, ``1m30s``. Raises ConfigError."""
    compact = text.strip()
    parts = _PART.findall(compact) if len(compact) <= 40 else []
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ConfigError(field_name, _shown(text), "a duration such as 1.5ms, 100us, 2s or 1m30s")
    whole = sum(int(float(number) * _UNITS_NS[unit]) for number, unit in parts)
    return min(whole, _INT_MAX)


def tags_of(text: str, field_name: str = "tags") -> dict[str, str]:
    """Tags as Jaeger's UI writes them: a JSON object, or pairs such as ``error=true http.method="GET"``.

    Raises ConfigError.
    """
    stripped = text.strip()
    if not stripped:
        return {}
    if stripped.startswith("{"):
        try:
            found = json.loads(stripped)
        except (ValueError, RecursionError):
            raise ConfigError(field_name, _shown(text), "a JSON object of texts") from None
        return {str(key): _as_text(value) for key, value in found.items()}
    pairs = {}
    for match in _PAIR.finditer(stripped):
        if match["junk"]:
            raise ConfigError(field_name, _shown(text), 'pairs such as error=true http.method="GET"')
        value = match["value"]
        pairs[match["key"]] = value[1:-1] if value[:1] == '"' else value
    return pairs


_PAIR: Final = re.compile(r'(?P<key>[^\s="]+)=(?P<value>"[^"]*"|[^\s"]*)(?=\s|$)|(?P<junk>\S+)')


def _has_tag(span: PlainSpan, key: str, value: str) -> bool:
    for holder in (span, *span["events"]):
        if key in holder["attributes"] and _as_text(holder["attributes"][key]) == value:
            return True
    if key in span["resource"]:
        return _as_text(span["resource"][key]) == value
    match key:
        case "error":
            return value == ("true" if span["status"] == "error" else "false")
        case "span.kind":
            return bool(span["kind"] == value)
        case "otel.status_code":
            return bool(span["status"] == value.lower())
    return False


def _as_text(value: Any) -> str:
    """A value as Jaeger compares it: booleans and lists as in JSON, text and numbers as they are."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _shown(value: object) -> object:
    """Enough of a value to recognise it in a message."""
    text = repr(value)
    return value if len(text) <= 100 else text[:100] + "..."
