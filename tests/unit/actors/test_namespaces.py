"""Keys of names in namespaces: each pair has its own, and can be read back."""

from __future__ import annotations

import pytest

from partisan_actors.actors.namespaces import check_namespace, key_of, name_of, shown
from partisan_actors.errors import ConfigError


@pytest.mark.parametrize("namespace", ["", "a", "a/b", "a b"])
@pytest.mark.parametrize("name", ["x", "a/x", "b/x"])
def test_a_key_is_read_back_as_what_it_was_made_of(namespace: str, name: str) -> None:
    assert name_of(key_of(namespace, name)) == (namespace, name)


def test_no_two_names_share_a_key() -> None:
    pairs = [(namespace, name) for namespace in ("", "a", "a/b") for name in ("x", "b/x", "a/b/x")]

    assert len({key_of(*pair) for pair in pairs}) == len(pairs)


def test_the_default_namespace_is_not_mentioned() -> None:
    assert shown(key_of("", "x")) == "'x'"
    assert shown(key_of("a", "x")) == "'x' in namespace 'a'"


@pytest.mark.parametrize("wrong", [None, 7, "a\0b", "x" * 257])
def test_what_is_no_namespace_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="namespace"):
        check_namespace(wrong)
