"""What is written down of spans and attributes outside of the code, made from the table: run it to write it anew.

``python -m tests.trace_reference`` writes the reference page and the registry for OpenTelemetry's Weaver.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, Final

import yaml

from partisan_actors.telemetry.attribute_meanings import MEANINGS
from partisan_actors.telemetry.events import (
    ATTRIBUTES,
    RESOURCE_ATTRIBUTES,
    SCHEMA_URL,
    SPANS,
    CallStatus,
    Scope,
    SpanShape,
)
from partisan_actors.telemetry.spans import SpanValue, spans_of
from tests.unit.telemetry.story import Ticks, all_records, play, three_nodes

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "reference" / "traces.md"
REGISTRY: Final = ROOT / "tracing" / "registry"
_TYPES: Final = {str: "string", int: "int", float: "double", bool: "boolean"}
_VERSION: Final = SCHEMA_URL.rpartition("/")[2]
_MADE: Final = "# Made from partisan_actors/telemetry/events.py by `python -m tests.trace_reference`.\n"


# How spans are tied to each other, and what a reader may look for in vain.
_RELATIONS: Final = (
    "## Parents, links, and what there is none of",
    "",
    "- A call is the child of the span that was current where it was made; what a node in between has to do",
    "  with it is a child of the call, too. A tell's `process` is the child of its `send`, or, with",
    '  `tell_correlation="link"`, the root of a trace that is linked to it.',
    "- `restart` is the root of a trace. Its first link is the call that failed with the actor, or had it",
    "  killed, if the node that restarts it has made that call and it was sampled; the next is the making",
    "  of the actor. `stop` is linked to that.",
    "- A broadcast's `process` is the child of its `publish`, and not linked to it as well: viewers draw",
    "  that as a second arrow.",
    "- The span of a generator lasts until its end and is not divided by items. The caller's lasts until",
    "  the last is here.",
    "- There is no event for the reply: the SERVER span ends when it is written. And no `relay` says",
    "  `partition` or `shuffle`: nodes know that there is no direct connection, and not why.",
    "- No span is called `checkpoint`, `restore` or `migrate`, because nothing does that: actors that are",
    "  made again elsewhere, when a node drains for one, begin anew, and that is a `restart`. Methods take",
    "  one message each, so no `process` has a `messaging.batch.message_count`.",
)


def page() -> str:
    """The reference page."""
    everything = {**ATTRIBUTES, **RESOURCE_ATTRIBUTES}
    own = [f"| `{key}` | {_TYPES[everything[key]]} | {MEANINGS[key]} |" for key in sorted(MEANINGS)]
    foreign = ", ".join(f"`{key}`" for key in sorted(everything) if key not in MEANINGS)
    spans = [
        f"| `{shape.name}` | {shape.kind.name.lower()} | {shape.scope.name.lower()} | {shape.level} | {shape.meaning} |"
        for shape in SPANS
    ]
    return "\n".join(
        [
            "# Spans and attributes",
            "",
            "Everything that is exported of traces. Made from the table that the code reads, by",
            "`python -m tests.trace_reference`; a test compares them. `tracing/README.md` tells how to look at traces.",
            "",
            "## Spans",
            "",
            "A span is there at its level and those above it: `calls`, `hops`, `full`. Each scope can be left out by",
            "`TracingOptions(scopes=...)`, and that of the overlay has to be asked for. As instrumentation scopes they",
            f"are called {', '.join(f'`{scope.value}`' for scope in Scope)}.",
            "",
            "| name | kind | scope | level | what it is |",
            "|---|---|---|---|---|",
            *spans,
            "",
            *_RELATIONS,
            "",
            "## Attributes of our own",
            "",
            "| key | type | what it says |",
            "|---|---|---|",
            *own,
            "",
            "## Attributes of OpenTelemetry's conventions",
            "",
            f"As of version {_VERSION}: {foreign}.",
            "",
            "`rpc.response.status_code` is one of " + ", ".join(f"`{status.value}`" for status in CallStatus) + ".",
            "`error.type` is there exactly when a span has failed: the class of a user's exception, else the status.",
            "",
        ]
    )


def manifest() -> str:
    """The registry's description, which says on which conventions it stands."""
    source = "https://github.com/open-telemetry/semantic-conventions/archive/refs/tags"
    return _MADE + _yaml(
        {
            "name": "partisan_actors",
            "description": "Spans and attributes of partisan_actors, beside those of the conventions.",
            "semconv_version": "0.1.0",
            "schema_base_url": SCHEMA_URL.rpartition("/")[0],
            "dependencies": [{"name": "otel", "registry_path": f"{source}/v{_VERSION}.zip[model]"}],
        }
    )


def registry() -> str:
    """The groups: our attributes, and the spans with all that they may have."""
    everything = {**ATTRIBUTES, **RESOURCE_ATTRIBUTES}
    own = [
        {"id": key, "type": _TYPES[everything[key]], "stability": "development", "brief": MEANINGS[key]}
        | ({"examples": ["text"]} if everything[key] is str else {})
        for key in sorted(MEANINGS)
    ]
    attributes = {
        "id": "registry.partisan",
        "type": "attribute_group",
        "display_name": "Attributes of partisan_actors",
        "brief": "What partisan_actors says beside the conventions.",
        "attributes": own,
    }
    return _MADE + _yaml({"groups": [attributes, *map(_span_group, SPANS)]})


def _span_group(shape: SpanShape) -> dict[str, Any]:
    name = re.sub(r"[^a-z]+", "_", shape.name.lower()).strip("_")
    keys = sorted({key for span in _story() if _is_of(span, shape) for key in span.attributes})
    return {
        "id": f"span.partisan.{name}.{shape.kind.name.lower()}",
        "type": "span",
        "stability": "development",
        "span_kind": shape.kind.name.lower(),
        "brief": f"`{shape.name}`: {shape.meaning}.",
        "attributes": [{"ref": key, "requirement_level": "recommended"} for key in keys],
    }


@functools.cache
def _story() -> list[SpanValue]:
    clock = Ticks()
    nodes = three_nodes(clock)
    play(nodes, clock)
    return [span for record in all_records(nodes) for span in spans_of(record)]


def _is_of(span: SpanValue, shape: SpanShape) -> bool:
    same = (span.kind, span.scope) == (shape.kind, shape.scope) and shape.pattern.fullmatch(span.name) is not None
    # Both kinds of consumers look alike by name: a topic has a name, and a class is a template.
    is_topic = "messaging.destination.name" in span.attributes
    return same and is_topic == ("{topic}" in shape.name)


def _yaml(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


FILES: Final = {
    PAGE: page,
    REGISTRY / "manifest.yaml": manifest,
    REGISTRY / "partisan_actors.yaml": registry,
}

if __name__ == "__main__":
    for path, make in FILES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")
