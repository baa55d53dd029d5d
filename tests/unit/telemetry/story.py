"""A small cluster's worth of records: three nodes, every kind of record, wired as the runtime would wire them."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from partisan_actors.errors import TaskFailed
from partisan_actors.ids import ActorId, NodeId, ObjectId
from partisan_actors.telemetry.context import LATE, TraceContext
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import (
    AskFinished,
    AskServed,
    BroadcastProcessed,
    BroadcastSent,
    Lifecycle,
    LifecycleStep,
    ObjectMoved,
    ObjectStep,
    OverlayMessage,
    Record,
    RelayHop,
    Running,
    Sending,
    TellProcessed,
    TellSent,
)

MS = 1_000_000
EPOCH_NS = 1_700_000_000_000_000_000


@dataclass
class Ticks:
    """A clock under the test's hand."""

    now_ns: int = 1_000 * MS

    def __call__(self) -> int:
        return self.now_ns

    def after_ms(self, milliseconds: float) -> int:
        self.now_ns += round(milliseconds * MS)
        return self.now_ns


@dataclass
class Node:
    """One node's identity and recorder."""

    name: str
    clock: Ticks
    seed: int
    incarnation: int = 1_700_000_000_000_000
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.recorder = Recorder(
            enabled=True,
            hops_enabled=True,
            clock=self.clock,
            wall_clock=lambda: self.clock() + EPOCH_NS,
            random_bits=Random(self.seed).getrandbits,
        )

    @property
    def id(self) -> NodeId:
        return NodeId(self.name, self.incarnation)


def three_nodes(clock: Ticks) -> tuple[Node, Node, Node]:
    return Node("ada", clock, 1), Node("bob", clock, 2), Node("eve", clock, 3)


def received(wire: bytes) -> TraceContext:
    context = TraceContext.unpack(wire)
    assert context is not None
    return context


def failing_call() -> tuple[Failure, Failure]:
    """The failure of one call as its two ends see it."""
    try:
        raise KeyError("amount")
    except KeyError as error:
        at_server = Failure.of_user_code(error)
        return at_server, Failure.of_call(TaskFailed.of(error, "Bank/pay", at_server.stacktrace))


def play(nodes: tuple[Node, Node, Node], clock: Ticks) -> None:
    """Ada creates a Bank on eve, calls it through bob, tells it something, and broadcasts a price."""
    ada, _, eve = nodes
    bank = ActorId(ada.id, 7)
    created = _create(ada, eve, bank, clock)
    _ask_through_relay(nodes, bank, clock)
    _failing_ask(ada, eve, bank, clock)
    _tell(ada, eve, bank, clock)
    _broadcast(nodes, clock)
    _restart_and_stop(eve, bank, created, clock)
    _in_full(ada, eve, bank, clock)
    _object(ada, eve, clock)
    _overlay(eve, ada, clock)


def _create(ada: Node, eve: Node, bank: ActorId, clock: Ticks) -> TraceContext:
    created = ada.recorder.begin()
    asked = clock()
    placed = eve.recorder.child_of(received(created.pack()))
    began = clock.after_ms(1)
    done = clock.after_ms(2)
    eve.recorder.record(Lifecycle(placed, began, done, LifecycleStep.ACTIVATE, bank, "Bank", peer=ada.id))
    ada.recorder.record(Lifecycle(created, asked, clock.after_ms(1), LifecycleStep.CREATE, bank, "Bank", peer=eve.id))
    return placed


def _ask_through_relay(nodes: tuple[Node, Node, Node], bank: ActorId, clock: Ticks) -> None:
    ada, bob, eve = nodes
    context = ada.recorder.begin()
    called = clock()
    wire = context.pack()
    hop = bob.recorder.child_of(received(wire))
    arrived = clock.after_ms(0.2)
    bob.recorder.record(RelayHop(hop, arrived, clock.after_ms(0.1), "default", 1, 5, ada.id, eve.id, "no_direct_link"))
    served = eve.recorder.child_of(received(wire))
    got = clock.after_ms(0.3)
    dequeued = clock.after_ms(3)
    replied = clock.after_ms(2)
    eve.recorder.record(
        AskServed(
            served, got, dequeued, replied, bank, "Bank", "pay", None, "default", 2, ada.id, 1, 4,
            "shop.Bank.pay", "m-1", 3, stream_bytes=96,
        )
    )  # fmt: skip
    ada.recorder.record(
        AskFinished(
            context, called, clock.after_ms(0.4), bank, "Bank", "pay", None, "default", 2, eve.id, 2,
            ("10.0.0.3", 7000), ("10.0.0.2", 7000), "m-1", 3, queue_wait_ns=2_000_000, rtt_s=0.0005,
        )
    )  # fmt: skip


def _failing_ask(ada: Node, eve: Node, bank: ActorId, clock: Ticks) -> None:
    at_server, at_client = failing_call()
    context = ada.recorder.begin()
    called = clock()
    served = eve.recorder.child_of(received(context.pack()))
    got = clock.after_ms(0.1)
    eve.recorder.record(AskServed(served, got, got, clock.after_ms(1), bank, "Bank", "pay", at_server))
    ada.recorder.record(AskFinished(context, called, clock.after_ms(1), bank, "Bank", "pay", at_client))


def _tell(ada: Node, eve: Node, bank: ActorId, clock: Ticks) -> None:
    context = ada.recorder.begin()
    sent = clock()
    ada.recorder.record(
        TellSent(context, sent, clock.after_ms(0.1), bank, "Bank", "note", None, "events", 0, eve.id, "m-2")
    )
    handled = eve.recorder.child_of(received(context.pack()))
    got = clock.after_ms(0.1)
    dequeued = clock.after_ms(4)
    done = clock.after_ms(1)
    eve.recorder.record(
        TellProcessed(
            handled, got, dequeued, done, bank, "Bank", "note", None, "events", 0, ada.id, 0, 1, "shop.Bank.note", "m-2"
        )
    )


def _broadcast(nodes: tuple[Node, Node, Node], clock: Ticks) -> None:
    ada, *others = nodes
    context = ada.recorder.begin()
    sent = clock()
    ada.recorder.record(BroadcastSent(context, sent, clock.after_ms(0.1), "prices", "b-1"))
    for hops, node in enumerate(others, start=1):
        handled = node.recorder.child_of(received(context.pack()))
        got = clock.after_ms(1)
        node.recorder.record(
            BroadcastProcessed(handled, got, clock.after_ms(1), "prices", "b-1", None, ada.id, "eager", hops, hops)
        )


def _restart_and_stop(eve: Node, bank: ActorId, cause: TraceContext, clock: Ticks) -> None:
    again = eve.recorder.linked_root(cause)
    failed = clock()
    eve.recorder.record(
        Lifecycle(
            again, failed, clock.after_ms(1), LifecycleStep.RESTART, bank, "Bank",
            restart_count=1, reason="KeyError", links=(cause,), restart_limit=3,
        )
    )  # fmt: skip
    ended = eve.recorder.begin()
    eve.recorder.record(Lifecycle(ended, clock(), clock.after_ms(1), LifecycleStep.STOP, bank, "Bank", reason="normal"))


def _in_full(ada: Node, eve: Node, bank: ActorId, clock: Ticks) -> None:
    context = ada.recorder.begin()
    called = clock()
    sending = Sending(clock.after_ms(2), 1_000_000, True)
    served = eve.recorder.child_of(received(context.pack()))
    got = clock.after_ms(0.1)
    begun, done = clock.after_ms(0.2), clock.after_ms(1)
    running = Running("bank-thread", "payments")
    late = served._replace(flags=served.flags | LATE)
    eve.recorder.record(
        AskServed(
            late, got, begun, done, bank, "Bank", "audit", None, "calls", 0, ada.id, 0, 0, "shop.Bank.audit", 4, None,
            "main bank", running,
        )
    )  # fmt: skip
    ada.recorder.record(
        AskFinished(
            context, called, clock.after_ms(1), bank, "Bank", "audit", None, "calls", 0, eve.id, 1, None, None, 4, None,
            "main bank", sending,
        )
    )  # fmt: skip


def _object(ada: Node, eve: Node, clock: Ticks) -> None:
    value = ObjectId(eve.id, 5)
    put = eve.recorder.begin()
    eve.recorder.record(ObjectMoved(put, clock(), clock.after_ms(1), ObjectStep.PUT, value, 4_000_000))
    waited = ada.recorder.begin()
    begun = clock()
    pulled = ada.recorder.child_of(waited)
    came = clock.after_ms(3)
    ada.recorder.record(ObjectMoved(pulled, begun, came, ObjectStep.PULL, value, 4_000_000, eve.id, "shm"))
    ada.recorder.record(
        ObjectMoved(waited, begun, clock.after_ms(0.1), ObjectStep.GET, value, 4_000_000, eve.id, "shm")
    )


def _overlay(eve: Node, ada: Node, clock: Ticks) -> None:
    heard = eve.recorder.begin()
    eve.recorder.record(OverlayMessage(heard, clock(), clock.after_ms(0.1), "forward_join", ada.id, 3, 12, 4))


def all_records(nodes: tuple[Node, Node, Node]) -> list[Record]:
    return [record for node in nodes for record in node.recorder.take(1_000)]
