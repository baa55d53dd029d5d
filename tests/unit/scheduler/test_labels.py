"""Selectors mean what Ray's mean, and what is not a selector is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.scheduler.labels import (
    DoesNotExist,
    Exists,
    In,
    LabelSelector,
    NotIn,
    parse_labels,
    parse_selectors,
)


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


@pytest.mark.parametrize(
    ("selector", "text"),
    [(In("a", "b"), "in(a, b)"), (NotIn("a", "b"), "!in(a, b)"), (In("a"), "a"), (NotIn("a"), "!a")],
)
def test_a_selector_as_a_value_means_what_its_text_means(selector: In, text: str) -> None:
    assert parse_selectors({"zone": selector}) == parse_selectors({"zone": text})


def test_a_label_of_any_value_can_be_asked_for_and_refused() -> None:
    (exists,), (is_absent,) = parse_selectors({"zone": Exists()}), parse_selectors({"zone": DoesNotExist()})

    assert [exists.matches({"zone": "x"}), exists.matches({})] == [True, False]
    assert [is_absent.matches({"zone": "x"}), is_absent.matches({})] == [False, True]
    assert (str(exists), str(is_absent)) == ("zone exists", "zone does not exist")


@pytest.mark.parametrize("values", [(), ("",), ("a b",), (3,)])
def test_values_that_no_label_has_are_refused(values: Any) -> None:
    with pytest.raises(ConfigError, match="at least one value"):
        In(*values)


def test_selectors_are_equal_by_kind_and_values() -> None:
    assert In("a") == In("a") and hash(In("a")) == hash(In("a"))
    assert In("a") != NotIn("a") and In("a") != In("b")
    assert repr(NotIn("a", "b")) == "NotIn('a', 'b')"
