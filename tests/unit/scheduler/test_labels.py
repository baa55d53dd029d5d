"""Selectors mean what Ray's mean, and what is not a selector is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.scheduler.labels import LabelSelector, parse_labels, parse_selectors


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ("a", {"zone": "a"}, True),
        ("a", {"zone": "b"}, False),
        ("a", {}, False),
        ("!a", {"zone": "a"}, False),
        ("!a", {"zone": "b"}, True),
        ("!a", {}, True),
        ("in(a, b)", {"zone": "b"}, True),
        ("in(a,b)", {"zone": "c"}, False),
        ("in(a,b)", {}, False),
        ("!in(a,b)", {"zone": "b"}, False),
        ("!in(a,b)", {"zone": "c"}, True),
        ("!in(a,b)", {}, True),
        (" ! in( a )", {"zone": "a"}, False),
    ],
)
def test_a_selector_matches_the_labels_it_describes(selector: str, labels: dict[str, str], matches: bool) -> None:
    (parsed,) = parse_selectors({"zone": selector})

    assert parsed.matches(labels) is matches


def test_selectors_come_in_the_order_of_their_keys() -> None:
    assert parse_selectors({"zone": "!a", "disk": "in(ssd)"}) == (
        LabelSelector("disk", ("ssd",)),
        LabelSelector("zone", ("a",), negated=True),
    )


@pytest.mark.parametrize(
    "selector", ["", "!", "in()", "in(a,)", "in(a", "a b", "!!a", "in(a)b", "-a", "a" * 64, 3, None]
)
def test_what_is_not_a_selector_is_refused_with_the_forms_that_are(selector: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_selectors({"zone": selector})

    assert caught.value.field == "labels['zone']"
    assert "!in(a, b)" in caught.value.allowed


@pytest.mark.parametrize("key", ["", "a b", "/a", "a/", "a/b/c", "a" * 64])
def test_a_key_that_is_not_valid_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="as a key"):
        parse_selectors({key: "a"})


@pytest.mark.parametrize("labels", ["zone=a", ["zone"], {3: "a"}])
def test_labels_are_a_mapping_of_texts(labels: Any) -> None:
    with pytest.raises(ConfigError, match="mapping of texts"):
        parse_selectors(labels)


def test_a_node_takes_plain_values_only() -> None:
    assert parse_labels({"example.org/zone": "a-1"}) == {"example.org/zone": "a-1"}
    assert parse_labels(None) == {}

    with pytest.raises(ConfigError, match="zone"):
        parse_labels({"zone": "!a"})


def test_a_selector_prints_as_a_sentence() -> None:
    assert str(LabelSelector("zone", ("a", "b"), negated=True)) == "zone not in (a, b)"
