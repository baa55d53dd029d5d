"""Tests of messages in turn: what stands before them is spliced in, and taken off again."""

from __future__ import annotations

import pytest

from partisan_actors.wire.channels import BULK, CALLS
from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.envelope import head_of, trace_in
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.in_turn import in_turn, stream_of, without_turn


@pytest.mark.parametrize("count", [1, 12, 13, 15, 16, 40, 65_532, 65_533, 65_536])
def test_a_message_of_any_length_is_spliced_and_taken_out_again(count: int) -> None:
    message = [Kind.TELL, *range(count - 1)]

    plain = unpack(in_turn(pack(message), 2**32 - 1, 77))

    assert plain == [Kind.IN_TURN, 2**32 - 1, 77, *message]
    assert without_turn(plain) == message
    assert without_turn(message) == message


def test_the_head_and_the_trace_of_a_message_are_found_behind_its_turn() -> None:
    call = pack([Kind.CALL_META, 123_456_789_012, b"k" * 12, "method", {"tc": b"trace"}, 1])

    assert head_of(call) == head_of(in_turn(call, 2**40, 2**40)) == (Kind.CALL_META, 123_456_789_012)
    assert trace_in(in_turn(call, 1, 2)) == b"trace"


def test_streams_of_two_channels_are_two() -> None:
    assert stream_of(CALLS, 5) == 5
    assert len({stream_of(channel, 5) for channel in (CALLS, BULK, "gossip")}) == 3
