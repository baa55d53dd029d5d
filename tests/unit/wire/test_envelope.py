"""The envelope of relayed messages, and what can be seen of a message without unpacking all of it."""

from __future__ import annotations

import pytest

from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.envelope import Envelope, head_of, inner_of, meta_of, trace_in
from partisan_actors.wire.frames import Kind

KEY = b"k" * 12


def test_the_wire_form_of_an_envelope_is_read_back() -> None:
    envelope = Envelope(Kind.RELAY, ["a", 1], ["b", 2], 3, 4, 5, True, "calls", b"tc", 6, 7, 8, 9, b"message")

    assert Envelope(*unpack(envelope.packed())) == envelope


@pytest.mark.parametrize(
    ("message", "head"),
    [
        ([Kind.CALL, 1, KEY, "method"], (Kind.CALL, 1)),
        ([Kind.CALL_META, 2**64 - 1, KEY, "method", {}, *range(100)], (Kind.CALL_META, 2**64 - 1)),
        ([Kind.CALL_PICKLED, 70_000, KEY, "method", None, b"payload"], (Kind.CALL_PICKLED, 70_000)),
        ([Kind.REPLY_ERROR, 3, b"payload"], (Kind.REPLY_ERROR, 3)),
        ([Kind.TELL, KEY, "method", 5], (Kind.TELL, 0)),
        ([Kind.CONTROL, ["tag", 1]], (Kind.CONTROL, 0)),
    ],
)
def test_the_head_of_a_message_is_its_kind_and_the_number_of_its_call(
    message: list[object], head: tuple[int, int]
) -> None:
    assert head_of(pack(message)) == head


def test_a_trace_context_is_found_in_the_extras_of_calls_and_tells() -> None:
    assert trace_in(pack([Kind.CALL_META, 1, KEY, "m", {"tc": b"context"}, 5])) == b"context"
    assert trace_in(pack([Kind.TELL_PICKLED, KEY, "m", {"tc": b"context"}, b"payload"])) == b"context"


@pytest.mark.parametrize(
    "message",
    [
        [Kind.CALL, 1, KEY, "m", {"tc": b"an argument"}],
        [Kind.CALL_PICKLED, 1, KEY, "m", None, b"payload"],
        [Kind.CALL_META, 1, KEY, "m", {"tc": 5}],
        [Kind.REPLY, 1, {"tc": b"a result"}],
    ],
)
def test_arguments_and_results_are_never_taken_for_a_trace_context(message: list[object]) -> None:
    assert trace_in(pack(message)) is None


def test_extras_that_are_no_map_are_none() -> None:
    assert meta_of([Kind.TELL_META, KEY, "m", "text"]) is None
    assert meta_of([Kind.TELL_META, KEY, "m", {"hops": 1}]) == {"hops": 1}


def test_what_an_acknowledged_message_is_about_is_the_message_in_it() -> None:
    tell = [Kind.TELL_META, b"actor", "method", {"tc": b"trace"}]
    acked = [Kind.ACKED, b"stream", 1, 1, 1, None, [Kind.TELL_ACKED, 7, tell]]
    notice = [Kind.ACKED, b"stream", 1, 5, 0, None, None]

    assert inner_of(acked) == tell
    assert inner_of(notice) == notice
    assert inner_of(tell) == tell
    assert trace_in(pack(acked)) == b"trace"
