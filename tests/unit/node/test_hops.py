"""Spans of relayed messages: whose children they are, how long they took, and which messages have none."""

from __future__ import annotations

from itertools import count

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node import hops as hops_module
from partisan_actors.node.hops import Hops
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import RelayHop
from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.envelope import Envelope
from partisan_actors.wire.frames import Kind

A, B, C, D = (NodeId(name, 1) for name in "abcd")


def recorder(*, enabled: bool = True, hops_enabled: bool = True) -> Recorder:
    return Recorder(enabled=enabled, hops_enabled=hops_enabled, clock=count(100, 10).__next__)


def envelope(trace: bytes | None) -> Envelope:
    return Envelope(Kind.RELAY, [*D], [*A], 1, 10, 2, False, "calls", trace, 1, 1, 1, 0, b"")


def test_a_hop_is_a_child_of_the_caller_and_says_where_it_went_and_why() -> None:
    recording = recorder()
    caller = recording.begin()
    hops = Hops(recording)

    begun = hops.begin()
    hops.passed_on(begun, envelope(caller.pack()), B, C, is_learned=True)

    (hop,) = recording.take(10)
    assert isinstance(hop, RelayHop)
    assert (hop.context.trace_id, hop.context.parent_span_id) == (caller.trace_id, caller.span_id)
    assert (hop.started_ns, hop.ended_ns) == (100, 110)
    assert hop[3:] == ("calls", 2, 10, B, C, "tree")


@pytest.mark.parametrize("trace", [None, b"too short", bytes(26)])
def test_without_a_context_there_is_no_hop(trace: bytes | None) -> None:
    recording = recorder()

    Hops(recording).passed_on(1, envelope(trace), B, C, is_learned=False)

    assert recording.waiting == 0


def test_an_unsampled_context_travels_but_leaves_no_hop() -> None:
    recording = recorder()
    unsampled = recording.begin()._replace(flags=2)
    message = pack([Kind.TELL_META, b"key", "m", {"tc": unsampled.pack()}])
    hops = Hops(recording)

    trace = hops.trace_of(D, message)
    hops.passed_on(1, envelope(trace), B, C, is_learned=False)

    assert trace == unsampled.pack()
    assert recording.waiting == 0


def test_a_node_at_the_level_calls_hands_the_context_on_and_records_no_hop() -> None:
    recording = recorder(hops_enabled=False)
    hops = Hops(recording)

    assert hops.trace_of(D, pack([Kind.TELL_META, b"key", "m", {"tc": b"context"}])) == b"context"
    assert hops.begin() == 0
    hops.passed_on(0, envelope(recording.begin().pack()), B, C, is_learned=False)
    assert recording.waiting == 0


def test_an_answer_has_the_context_of_its_question_once() -> None:
    hops = Hops(recorder())
    hops.arrived(A, [Kind.CALL_META, 7, b"key", "m", {"tc": b"context"}], 2)
    answer = pack([Kind.REPLY, 7, "value"])

    assert hops.trace_of(B, answer) is None
    assert hops.trace_of(A, answer) == b"context"
    assert hops.trace_of(A, answer) is None


def test_questions_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hops_module, "ASKED_MAX", 2)
    hops = Hops(recorder())

    for number in (1, 2, 3):
        hops.arrived(A, [Kind.CALL_META, number, b"key", "m", {"tc": b"context"}], 0)

    traces = [hops.trace_of(A, pack([Kind.REPLY, number, None])) for number in (1, 2, 3)]
    assert traces == [None, b"context", b"context"]


def test_a_message_that_arrives_is_told_how_many_nodes_it_came_through() -> None:
    message = unpack(pack([Kind.TELL_META, b"key", "m", {"tc": b"context"}]))

    Hops(recorder()).arrived(A, message, 3)

    assert message[3] == {"tc": b"context", "hops": 3}


def test_when_nothing_is_recorded_nothing_is_looked_at() -> None:
    hops = Hops(recorder(enabled=False, hops_enabled=False))
    message = [Kind.TELL_META, b"key", "m", {"tc": b"context"}]

    hops.arrived(A, message, 3)

    assert message[3] == {"tc": b"context"}
    assert hops.trace_of(A, b"not even a message") is None
