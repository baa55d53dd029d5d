"""What tells held that reached nobody: kept as their senders packed them, and addressed anew."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from partisan_actors.actors.parcels import (
    PARCEL_BYTES_MAX,
    is_parcel,
    method_in,
    packed_again,
    parcel_or_method,
    readdressed,
)
from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.frames import Kind

KEY, OTHER = b"k" * 12, b"o" * 12


def load(body: Any, buffers: Any) -> Any:
    raise AssertionError("nobody needs the arguments")


def test_what_has_arrived_is_packed_as_it_was_sent() -> None:
    assert packed_again(KEY, "add", [1, "two", None]) == pack([Kind.TELL, KEY, "add", 1, "two", None])
    assert packed_again(KEY, "add", partial(load, b"pickled", ())) == pack(
        [Kind.TELL_PICKLED, KEY, "add", None, b"pickled"]
    )


@pytest.mark.parametrize(
    "args",
    [
        [b"x" * (PARCEL_BYTES_MAX + 1)],
        partial(load, b"x" * (PARCEL_BYTES_MAX + 1), ()),
        partial(load, b"pickled", [b"large"]),
        partial(load, None, [b"all"]),
        lambda: ((), {}),
    ],
)
def test_of_what_is_large_or_unknown_only_the_method_is_kept(args: Any) -> None:
    assert packed_again(KEY, "add", args) == "add"


def test_of_what_we_send_only_the_method_is_kept_if_its_arguments_travel_apart() -> None:
    message = pack([Kind.TELL_PICKLED, KEY, "add", None, b"pickled"])

    assert parcel_or_method(message, None) is message
    assert parcel_or_method(message, [b"large"]) == "add"


def test_only_tells_for_actors_are_parcels() -> None:
    assert is_parcel(pack([Kind.TELL, KEY, "add", 1]))
    assert not is_parcel(pack([Kind.CALL, 7, KEY, "add", 1]))
    assert not is_parcel(pack([Kind.TELL, b"@inspect", "status"]))
    assert not is_parcel(pack([Kind.TELL, KEY, "add", b"x" * PARCEL_BYTES_MAX]))
    assert not is_parcel(b"\xc1 no msgpack") and method_in(b"\xc1 no msgpack") == "tell"


@pytest.mark.parametrize(
    ("sent", "again"),
    [
        ([Kind.TELL, KEY, "add", 1], [Kind.TELL, OTHER, "add", 1]),
        ([Kind.TELL_META, KEY, "add", {"tc": b"trace"}, 1], [Kind.TELL, OTHER, "add", 1]),
        ([Kind.TELL_PICKLED, KEY, "add", {"tc": b"trace"}, b"p"], [Kind.TELL_PICKLED, OTHER, "add", None, b"p"]),
    ],
)
def test_what_is_sent_again_has_another_address_and_no_trace(sent: list[Any], again: list[Any]) -> None:
    assert unpack(readdressed(pack(sent), OTHER)) == again
