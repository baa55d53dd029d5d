"""The table of spans and attributes, against the conventions and against what the records really give."""

from __future__ import annotations

import functools
import importlib
import pkgutil

import pytest

from partisan_actors.telemetry import events
from partisan_actors.telemetry.events import ATTRIBUTES, RESOURCE_ATTRIBUTES, SPANS
from partisan_actors.telemetry.spans import SpanValue, spans_of
from tests.unit.telemetry.story import Ticks, all_records, play, three_nodes


@functools.cache
def conventional_keys() -> frozenset[str]:
    packages = [
        importlib.import_module(f"opentelemetry.semconv.{name}") for name in ("attributes", "_incubating.attributes")
    ]
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for package in packages
        for found in pkgutil.iter_modules(package.__path__)
    ]
    return frozenset(
        value for module in modules for name, value in vars(module).items() if name.isupper() and isinstance(value, str)
    )


def test_the_conventions_are_found() -> None:
    assert len(conventional_keys()) > 500
    assert "rpc.method" in conventional_keys()


def played() -> list[SpanValue]:
    clock = Ticks()
    nodes = three_nodes(clock)
    play(nodes, clock)
    return [span for record in all_records(nodes) for span in spans_of(record)]


@pytest.mark.parametrize("key", [*ATTRIBUTES, *RESOURCE_ATTRIBUTES])
def test_an_attribute_is_conventional_or_begins_with_our_prefix(key: str) -> None:
    assert key.startswith("partisan.") or key in conventional_keys()


def test_the_schema_url_is_one_the_conventions_package_knows() -> None:
    from opentelemetry.semconv.schemas import Schemas

    assert events.SCHEMA_URL in {schema.value for schema in Schemas}


def test_every_attribute_of_the_table_is_given_by_some_record_and_none_besides() -> None:
    spans = played()

    given = {key for span in spans for key in span.attributes}
    given |= {key for span in spans for event in span.happenings for key in event.attributes}

    assert given == set(ATTRIBUTES)


def test_every_attribute_has_the_type_the_table_says() -> None:
    for span in played():
        for key, value in span.attributes.items():
            assert type(value) is ATTRIBUTES[key], key


@pytest.mark.parametrize("shape", SPANS, ids=lambda shape: f"{shape.name} {shape.kind.name}")
def test_every_span_of_the_table_is_made_by_some_record(shape: events.SpanShape) -> None:
    made = [span for span in played() if shape.pattern.fullmatch(span.name)]

    assert any((span.kind, span.scope) == (shape.kind, shape.scope) for span in made)


def test_every_span_made_is_in_the_table() -> None:
    for span in played():
        rows = [shape for shape in SPANS if shape.pattern.fullmatch(span.name)]
        assert (span.kind, span.scope) in {(row.kind, row.scope) for row in rows}, span.name
