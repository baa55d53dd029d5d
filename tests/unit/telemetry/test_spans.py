"""The span model: what each record becomes."""

from __future__ import annotations

import pytest

from partisan_actors.errors import ActorStopped, CallTimeout
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.telemetry.context import SAMPLED, TraceContext
from partisan_actors.telemetry.events import Scope, SpanKind
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.records import (
    AskFinished,
    AskServed,
    BroadcastProcessed,
    BroadcastSent,
    Lifecycle,
    LifecycleStep,
    Record,
    RelayHop,
    TellProcessed,
    TellSent,
)
from partisan_actors.telemetry.spans import MAILBOX_SPAN_MIN_NS, SpanValue, spans_of

CONTEXT = TraceContext(7, 8, SAMPLED, 6)
NODE = NodeId("ada", 255)
BANK = ActorId(NODE, 10)


def spans(record: Record) -> list[SpanValue]:
    return list(spans_of(record))


def span(record: Record) -> SpanValue:
    (only,) = spans(record)
    return only


def test_an_ask_is_a_client_span_named_by_class_and_method() -> None:
    made = span(AskFinished(CONTEXT, 1, 5, BANK, "Bank", "pay"))

    assert (made.name, made.kind, made.scope) == ("Bank/pay", SpanKind.CLIENT, Scope.CALLS)
    assert (made.started_ns, made.ended_ns, made.context) == (1, 5, CONTEXT)
    assert made.attributes == {
        "rpc.system.name": "partisan_actors",
        "rpc.method": "Bank/pay",
        "rpc.response.status_code": "OK",
        "partisan.call.kind": "ask",
        "partisan.attempt": 1,
        "partisan.actor.class": "Bank",
        "partisan.actor.id": "actor:ada~ff/a",
    }
    assert not made.parent_is_remote


def test_an_ask_says_how_long_it_waited_for_its_connection_if_that_was_over_a_millisecond() -> None:
    short = span(AskFinished(CONTEXT, 1, 5, BANK, "Bank", "pay", queue_wait_ns=900_000))
    long = span(AskFinished(CONTEXT, 1, 5, BANK, "Bank", "pay", queue_wait_ns=2_500_000, rtt_s=0.004))

    assert "partisan.channel.queue.wait" not in short.attributes and "partisan.peer.rtt" not in short.attributes
    assert long.attributes["partisan.channel.queue.wait"] == 0.0025
    assert long.attributes["partisan.peer.rtt"] == 0.004


def test_a_restart_says_by_which_rule_and_how_often() -> None:
    made = span(Lifecycle(CONTEXT, 1, 5, LifecycleStep.RESTART, BANK, "Bank", restart_count=1, restart_limit=-1))

    assert made.attributes["partisan.supervisor.strategy"] == "one_for_one"
    assert (made.attributes["partisan.restart.count"], made.attributes["partisan.restart.limit"]) == (1, -1)


def test_an_ask_says_where_it_went_when_that_is_known() -> None:
    made = span(
        AskFinished(
            CONTEXT, 1, 5, BANK, "Bank", "pay", None, "bulk", 2, NODE, 3, ("10.0.0.3", 70), ("10.0.0.2", 80), "m-1", 4
        )
    )

    assert (
        made.attributes.items()
        >= {
            "partisan.channel": "bulk",
            "partisan.lane": 2,
            "partisan.peer.node": "ada~ff",
            "partisan.attempt": 3,
            "server.address": "10.0.0.3",
            "server.port": 70,
            "network.peer.address": "10.0.0.2",
            "network.peer.port": 80,
            "partisan.message.id": "m-1",
            "partisan.stream.items": 4,
        }.items()
    )


def test_an_answered_ask_is_a_server_span_whose_parent_is_remote() -> None:
    made = span(AskServed(CONTEXT, 1_000, 3_000, 8_000, BANK, "Bank", "pay", hop_count=2, mailbox_size=5))

    assert (made.name, made.kind, made.parent_is_remote) == ("Bank/pay", SpanKind.SERVER, True)
    assert made.attributes["partisan.mailbox.wait"] == 2e-6
    assert made.attributes["partisan.execute.duration"] == 5e-6
    assert made.attributes["partisan.hop.count"] == 2
    assert made.attributes["partisan.mailbox.size"] == 5
    assert [(event.name, event.at_ns) for event in made.happenings] == [("dequeued", 3_000)]


@pytest.mark.parametrize(("wait_ns", "expected"), [(MAILBOX_SPAN_MIN_NS, 1), (MAILBOX_SPAN_MIN_NS + 1, 2)])
def test_only_a_long_wait_in_the_mailbox_has_a_span_of_its_own(wait_ns: int, expected: int) -> None:
    assert len(spans(AskServed(CONTEXT, 0, wait_ns, wait_ns + 1, BANK, "Bank", "pay"))) == expected


def test_the_wait_in_the_mailbox_is_a_child_of_the_server_span() -> None:
    server, waited = spans(AskServed(CONTEXT, 5, 9_000_000, 9_500_000, BANK, "Bank", "pay", mailbox_size=3))

    assert (waited.name, waited.kind) == ("mailbox Bank", SpanKind.INTERNAL)
    assert waited.context._replace(span_id=0) == TraceContext(7, 0, SAMPLED, server.context.span_id)
    assert waited.context.span_id not in (0, server.context.span_id)
    assert (waited.started_ns, waited.ended_ns) == (5, 9_000_000)
    assert waited.attributes["partisan.mailbox.size"] == 3
    assert not waited.parent_is_remote


def test_a_tell_is_a_producer_and_a_consumer_by_the_messaging_conventions() -> None:
    sent = span(TellSent(CONTEXT, 1, 2, BANK, "Bank", "note", message_id="m-1"))
    handled = span(TellProcessed(CONTEXT, 1, 4, 6, BANK, "Bank", "note", message_id="m-1"))

    assert (sent.name, sent.kind) == ("send Bank", SpanKind.PRODUCER)
    assert (handled.name, handled.kind, handled.parent_is_remote) == ("process Bank", SpanKind.CONSUMER, True)
    for made, operation, kind in ((sent, "tell", "send"), (handled, "process", "process")):
        assert made.attributes["messaging.operation.name"] == operation
        assert made.attributes["messaging.operation.type"] == kind
        assert made.attributes["messaging.destination.template"] == "Bank"
        assert made.attributes["messaging.message.id"] == "m-1"
        assert not any(key.startswith("rpc.") for key in made.attributes)


def test_handling_a_tell_begins_when_it_leaves_the_mailbox() -> None:
    made = span(TellProcessed(CONTEXT, 1_000_000, 9_000_000, 9_500_000, BANK, "Bank", "note"))

    assert (made.started_ns, made.ended_ns) == (9_000_000, 9_500_000)
    assert made.attributes["partisan.mailbox.wait"] == 0.008


def test_a_tell_may_be_the_root_of_a_trace_linked_to_its_sender() -> None:
    sender = TraceContext(1, 2, SAMPLED)

    made = span(TellProcessed(TraceContext(7, 8, SAMPLED), 1, 1, 2, BANK, "Bank", "note", link=sender))

    assert made.links == (sender,)
    assert not made.parent_is_remote


def test_a_relay_hop_says_from_whom_to_whom_and_why() -> None:
    made = span(RelayHop(CONTEXT, 1, 2, "default", 1, 5, NODE, NodeId("eve", 254), "partition"))

    assert (made.name, made.kind, made.scope) == ("relay default", SpanKind.INTERNAL, Scope.CALLS)
    assert made.parent_is_remote
    assert made.attributes == {
        "partisan.channel": "default",
        "partisan.hop.index": 1,
        "partisan.hop.ttl": 5,
        "partisan.hop.from": "ada~ff",
        "partisan.hop.to": "eve~fe",
        "partisan.hop.reason": "partition",
    }


@pytest.mark.parametrize(
    ("step", "name", "kind", "is_remote"),
    [
        (LifecycleStep.CREATE, "create Bank", SpanKind.CLIENT, False),
        (LifecycleStep.ACTIVATE, "activate Bank", SpanKind.SERVER, True),
        (LifecycleStep.RESTART, "restart Bank", SpanKind.INTERNAL, False),
        (LifecycleStep.STOP, "stop Bank", SpanKind.INTERNAL, False),
    ],
)
def test_a_lifecycle_step_names_its_span_and_kind(
    step: LifecycleStep, name: str, kind: SpanKind, is_remote: bool
) -> None:
    made = span(Lifecycle(CONTEXT, 1, 2, step, BANK, "Bank"))

    assert (made.name, made.kind, made.parent_is_remote, made.scope) == (name, kind, is_remote, Scope.LIFECYCLE)


def test_a_restart_is_linked_to_what_made_it_necessary() -> None:
    links = TraceContext(1, 2, SAMPLED), TraceContext(3, 4, SAMPLED)

    made = span(
        Lifecycle(CONTEXT, 1, 2, LifecycleStep.RESTART, BANK, "Bank", restart_count=3, reason="ValueError", links=links)
    )

    assert made.links == links
    assert made.attributes["partisan.restart.count"] == 3
    assert made.attributes["partisan.restart.reason"] == "ValueError"
    assert "partisan.stop.reason" not in made.attributes


def test_a_broadcast_is_published_once_and_processed_on_every_node() -> None:
    sent = span(BroadcastSent(CONTEXT, 1, 2, "prices", "b-1"))
    handled = span(BroadcastProcessed(CONTEXT, 3, 4, "prices", "b-1", None, NODE, "graft", 4, 2))

    assert (sent.name, sent.kind) == ("publish prices", SpanKind.PRODUCER)
    assert (handled.name, handled.kind, handled.parent_is_remote) == ("process prices", SpanKind.CONSUMER, True)
    assert handled.links == ()
    assert handled.attributes["partisan.broadcast.path"] == "graft"
    assert handled.attributes["partisan.broadcast.round"] == 4
    assert handled.attributes["partisan.hop.count"] == 2


def test_a_failure_is_a_status_an_error_type_and_an_exception() -> None:
    failure = Failure.of_user_code(ValueError("no"), "Traceback text")

    made = span(AskServed(CONTEXT, 1, 2, 9, BANK, "Bank", "pay", failure))

    assert made.failure == failure
    assert made.attributes["rpc.response.status_code"] == "APPLICATION_ERROR"
    assert made.attributes["error.type"] == "ValueError"
    (_, exception) = made.happenings
    assert (exception.name, exception.at_ns) == ("exception", 9)
    assert exception.attributes == {
        "exception.type": "ValueError",
        "exception.message": "no",
        "exception.stacktrace": "Traceback text",
    }


def test_a_failure_of_ours_is_named_by_its_status() -> None:
    made = span(AskFinished(CONTEXT, 1, 2, BANK, "Bank", "pay", Failure.of_call(CallTimeout("Bank/pay", 1.0))))

    assert made.attributes["error.type"] == made.attributes["rpc.response.status_code"] == "TIMEOUT"


@pytest.mark.parametrize(
    "record",
    [
        TellSent(CONTEXT, 1, 2, BANK, "Bank", "note", Failure.of_call(ActorStopped("Bank", "gone"))),
        TellProcessed(CONTEXT, 1, 1, 2, BANK, "Bank", "note", Failure.of_call(ActorStopped("Bank", "gone"))),
        BroadcastSent(CONTEXT, 1, 2, "prices", None, Failure.of_call(ActorStopped("Bank", "gone"))),
        Lifecycle(CONTEXT, 1, 2, LifecycleStep.ACTIVATE, BANK, "Bank", Failure.of_call(ActorStopped("Bank", "gone"))),
    ],
    ids=lambda record: type(record).__name__,
)
def test_every_other_kind_of_failure_has_an_error_type_too(record: Record) -> None:
    made = span(record)

    assert made.attributes["error.type"] == "ACTOR_DIED"
    assert [event.name for event in made.happenings] == ["exception"]


def test_a_span_never_ends_before_it_starts() -> None:
    assert span(AskFinished(CONTEXT, 5, 1, BANK, "Bank", "pay")).ended_ns == 5
    assert span(TellProcessed(CONTEXT, 1, 5, 2, BANK, "Bank", "note")).ended_ns == 5
