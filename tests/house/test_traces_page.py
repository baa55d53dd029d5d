"""What is written of spans outside of the code is what the table says: the reference page, and Weaver's registry."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from partisan_actors.telemetry.attribute_meanings import MEANINGS
from partisan_actors.telemetry.events import ATTRIBUTES, RESOURCE_ATTRIBUTES, SPANS
from tests.trace_reference import FILES, registry


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_that_is_made_from_the_table_is_as_the_table_makes_it(path: Path) -> None:
    """To make them anew: ``python -m tests.trace_reference``."""
    assert path.read_text(encoding="utf-8") == FILES[path]()


def test_every_attribute_of_ours_has_a_meaning_and_no_other() -> None:
    assert set(MEANINGS) == {key for key in (*ATTRIBUTES, *RESOURCE_ATTRIBUTES) if key.startswith("partisan.")}


def test_the_registry_has_each_span_once_with_attributes_that_there_are() -> None:
    groups = yaml.safe_load(registry())["groups"]
    spans = [group for group in groups if group["type"] == "span"]

    assert len({group["id"] for group in groups}) == len(groups) == 1 + len(SPANS)
    assert {each["ref"] for group in spans for each in group["attributes"]} <= set(ATTRIBUTES)
    assert {group["span_kind"] for group in spans} <= {"internal", "server", "client", "producer", "consumer"}
