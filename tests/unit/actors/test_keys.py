"""Keys of messages: none of the framework's is ever taken for an actor's, whatever the names are."""

from __future__ import annotations

import pytest

from partisan_actors.actors.keys import INBOX, KEY_BYTES, described_key, is_service, name_key, service_key
from partisan_actors.actors.ref import actor_key
from partisan_actors.ids import ActorId, NodeId


def test_an_actor_is_no_service_though_its_key_begins_like_one() -> None:
    keys = [actor_key(ActorId(NodeId("n", incarnation), 1)) for incarnation in range(5000)]

    assert any(key.startswith(b"@") for key in keys), "some do"
    assert {len(key) for key in keys} == {KEY_BYTES}
    assert not any(map(is_service, keys))
    assert is_service(service_key("names")) and is_service(INBOX)


@pytest.mark.parametrize("name", ["x", "eleven chars", "11 letters.", "ä" * 256, "\udc80", "0123456789\1"])
def test_the_key_of_a_name_is_never_as_long_as_that_of_an_actor(name: str) -> None:
    key = name_key(name)

    assert len(key) != KEY_BYTES and not is_service(key)
    assert described_key(key) == f"named {name!r}" or "\udc80" in name


def test_names_that_differ_have_keys_that_differ() -> None:
    names = ["0123456789a", "0123456789a\0", "0123456789", "0123456789\0", ""]

    assert len({name_key(name) for name in names}) == len(names)


def test_a_service_whose_key_would_be_taken_for_an_actor_s_is_refused() -> None:
    with pytest.raises(ValueError, match="choose another name"):
        service_key("eleven.char")


def test_keys_are_described_for_people() -> None:
    assert described_key(bytes(12)) == "with key " + "00" * 12
    assert described_key(service_key("names")) == "of service 'names'"
    assert "on_message" in described_key(INBOX)
