"""ProtocolStack: who gets which input, and where each effect goes."""

from __future__ import annotations

import random

import pytest

from partisan_actors.errors import ConfigError, ProtocolError
from partisan_actors.messages import Sealed
from partisan_actors.protocols.broadcast.exchange import EXCHANGE_TOPIC, Exchange, ExchangeOptions, Refused, Summary
from partisan_actors.protocols.broadcast.flood import Flood, FloodOptions
from partisan_actors.protocols.broadcast.handlers import HandlerOptions, Handlers
from partisan_actors.protocols.broadcast.lww_map import Changed, Entry, Update
from partisan_actors.protocols.broadcast.plumtree import (
    HEARTBEAT_TOPIC,
    Gossip,
    IHave,
    Plumtree,
    PlumtreeOptions,
    Prune,
)
from partisan_actors.protocols.detector.opinions import Confirmed, Suspected
from partisan_actors.protocols.detector.swim import Swim
from partisan_actors.protocols.detector.swim_messages import Ack, Ping
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Deliver,
    Disconnect,
    Evicted,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)
from partisan_actors.protocols.membership.full_mesh import FullMesh, FullMeshOptions
from partisan_actors.protocols.membership.strategy import Evict
from partisan_actors.protocols.stack import ProtocolStack
from tests.notes import Notes
from tests.static_overlay import HELLO, StaticOverlay


def stack(*peers: str, exchange: bool = True, **options: object) -> ProtocolStack:
    rng = random.Random(1)
    table = Exchange("me", ExchangeOptions(**options), rng) if exchange else None  # type: ignore[arg-type]  # options vary
    made = ProtocolStack("me", StaticOverlay(peers), Plumtree("me", PlumtreeOptions(), rng), table)
    made.start(0.0)
    for peer in peers:
        made.peer_up(peer, 0.0)
    return made


def test_starting_starts_every_layer_and_each_timer_carries_its_layer() -> None:
    rng = random.Random(1)
    made = ProtocolStack(
        "me",
        StaticOverlay(()),
        Plumtree("me", PlumtreeOptions(), rng),
        Exchange("me", ExchangeOptions(), rng),
    )

    names = [effect.name for effect in made.start(0.0) if isinstance(effect, SetTimer)]

    assert names == ["membership:tick", "exchange:period"]


def test_a_fired_timer_goes_to_its_layer_under_the_name_that_layer_gave_it() -> None:
    made = stack("a")
    strategy = made.strategy
    assert isinstance(strategy, StaticOverlay)

    made.timer_fired("membership:tick", 1.0)
    compared = made.timer_fired("exchange:period", 10.0)

    assert strategy.fired == ["tick"]
    assert Send("a", Summary(0, 0)) in compared


def test_joining_and_leaving_are_the_strategys_and_cancelled_timers_carry_its_name() -> None:
    made = stack("a")

    assert made.join("contact", 0.0) == [Connect("a")]
    assert made.leave(0.0) == [
        CancelTimer("membership:tick"),
        NeighbourDown("a", failed=False),
        Disconnect("a"),
    ]


def test_a_new_neighbour_is_told_outside_first_then_to_the_layers_where_the_strategy_said_it() -> None:
    made = stack("a")
    made.peer_down("a", 0.0)

    effects = made.peer_up("a", 0.0)

    assert effects == [NeighbourUp("a"), Send("a", Summary(0, 0)), Send("a", HELLO)]
    assert made.neighbours == ("a",)
    assert made.views == {"static": ("a",)}


def test_a_lost_neighbour_gets_no_more_broadcasts() -> None:
    made = stack("a", "b")

    lost = made.peer_down("a", 0.0)
    sent = made.broadcast("news", 1, 0.0)

    assert lost == [NeighbourDown("a", failed=True)]
    assert sent == [Send("b", Gossip("me", 1, "news", 1, 1))]


def test_messages_go_to_the_layer_that_declares_their_class_and_others_to_the_strategy() -> None:
    made = stack("a")
    strategy = made.strategy
    assert isinstance(strategy, StaticOverlay)

    made.receive("a", Gossip("o", 1, "news", 1, "payload"), 0.0)
    duplicate = made.receive("a", Gossip("o", 1, "news", 1, "payload"), 0.0)
    same_map = made.receive("a", Summary(0, 0), 0.0)
    made.receive("a", HELLO, 0.0)

    assert duplicate == [Send("a", Prune("o"))]
    assert same_map == []
    assert strategy.heard == [("a", HELLO)]


def test_application_topics_are_delivered() -> None:
    effects = stack("a").receive("a", Gossip("o", 1, "news", 2, "payload"), 0.0)

    assert effects == [Deliver("news", "o", "a", 2, "payload")]


def test_a_write_is_broadcast_and_reported() -> None:
    effects = stack("a").write("k", (1,), "v", 0.0)

    published = Gossip("me", 1, EXCHANGE_TOPIC, 1, (Update("k", (1,), "v", 0.0),))
    assert effects == [Send("a", published), Changed("k", None, Entry((1,), "v"))]


@pytest.mark.parametrize("sequence", [tuple, list])
def test_a_broadcast_write_is_forwarded_then_told_to_whoever_learns_ways_then_merged(sequence: type) -> None:
    made = stack("a", "b")
    updates = sequence([Update("k", (1,), "v", 0.0)])

    effects = made.receive("a", Gossip("o", 1, EXCHANGE_TOPIC, 1, updates), 0.0)

    assert effects == [
        Send("b", Gossip("o", 1, EXCHANGE_TOPIC, 2, updates)),
        Deliver(EXCHANGE_TOPIC, "o", "a", 1, updates),
        Changed("k", None, Entry((1,), "v")),
    ]


def test_rubbish_under_the_exchange_topic_changes_nothing() -> None:
    made = stack("a")

    for number, rubbish in enumerate(("rubbish", [1, None]), start=1):
        effects = made.receive("a", Gossip("o", number, EXCHANGE_TOPIC, 1, rubbish), 0.0)
        assert effects == [Deliver(EXCHANGE_TOPIC, "o", "a", 1, rubbish)]


def test_a_sealed_broadcast_is_passed_on_as_it_came_and_opened_once_for_whoever_gets_it() -> None:
    made, opened = stack("a", "b"), []

    def unpack(packed: bytes) -> list[Update]:
        opened.append(packed)
        return [Update("k", (1,), "v", 0.0)]

    sealed = Sealed(b"packed", unpack)
    effects = made.receive("a", Gossip("o", 1, EXCHANGE_TOPIC, 1, sealed), 0.0)
    made.receive("b", Gossip("o", 1, EXCHANGE_TOPIC, 1, sealed), 0.0)

    assert effects == [
        Send("b", Gossip("o", 1, EXCHANGE_TOPIC, 2, sealed)),
        Deliver(EXCHANGE_TOPIC, "o", "a", 1, [Update("k", (1,), "v", 0.0)]),
        Changed("k", None, Entry((1,), "v")),
    ]
    assert opened == [b"packed"]


def test_a_broadcast_that_nobody_can_read_is_passed_on_and_counted() -> None:
    made = stack("a", "b")

    def unpack(packed: bytes) -> object:
        raise ProtocolError("rubbish")

    sealed = Sealed(b"packed", unpack)
    effects = made.receive("a", Gossip("o", 1, "news", 1, sealed), 0.0)

    assert effects == [Send("b", Gossip("o", 1, "news", 2, sealed))]
    assert made.unreadable == 1


def test_a_refused_write_comes_back_to_the_writer() -> None:
    made = stack("a", entries_max=1)
    made.write("k", (1,), "v", 0.0)

    assert made.write("other", (1,), "v", 0.0) == [Refused("other", 1)]


def test_a_node_without_a_map_passes_writes_on_and_cannot_write() -> None:
    made = stack("a", "b", exchange=False)

    passed = made.receive("a", Gossip("o", 1, EXCHANGE_TOPIC, 1, []), 0.0)

    assert passed == [Send("b", Gossip("o", 1, EXCHANGE_TOPIC, 2, [])), Deliver(EXCHANGE_TOPIC, "o", "a", 1, [])]
    with pytest.raises(ConfigError, match="exchange"):
        made.write("k", (1,), "v", 0.0)


def test_the_exchange_topic_is_not_for_applications() -> None:
    with pytest.raises(ConfigError, match="topic"):
        stack("a").broadcast(EXCHANGE_TOPIC, 1, 0.0)


def test_broadcast_timers_come_back_to_broadcast() -> None:
    made = stack("a", "b")
    made.receive("b", Prune("o"), 0.0)

    set_ = made.broadcast("news", 1, 0.0)
    fired = made.timer_fired("broadcast:lazy", 0.1)

    assert [effect.name for effect in set_ if isinstance(effect, SetTimer)] == ["broadcast:lazy"]
    assert fired == [Send("b", IHave((("me", 1, 1),)))]


def test_any_broadcast_with_the_same_face_will_do() -> None:
    made = ProtocolStack("me", StaticOverlay(("a",)), Flood("me", FloodOptions(), random.Random(1)))
    made.peer_up("a", 0.0)

    effects = made.broadcast("news", 1, 0.0)

    assert [effect.peer for effect in effects if isinstance(effect, Send)] == ["a"]


def with_notes(*peers: str) -> tuple[ProtocolStack, Notes]:
    notes = Notes("notes", "bulk")
    handlers = Handlers("me", HandlerOptions(), random.Random(1))
    handlers.add(notes)
    broadcast = Plumtree("me", PlumtreeOptions(), random.Random(1))
    made = ProtocolStack("me", StaticOverlay(peers), broadcast, handlers=handlers)
    made.start(0.0)
    for peer in peers:
        made.peer_up(peer, 0.0)
    return made, notes


def test_state_is_broadcast_as_its_handler_says_under_a_topic_that_names_the_channel() -> None:
    made, _ = with_notes("a")

    effects = made.broadcast_state("notes", ("one", 1), 0.0)

    assert effects == [Send("a", Gossip("me", 1, "state/bulk/notes", 1, ("one", 1)))]


def test_what_a_broadcast_brings_for_a_handler_is_passed_on_first_and_then_merged() -> None:
    made, notes = with_notes("a", "b")

    effects = made.receive("a", Gossip("o", 1, "state/bulk/notes", 1, ["one", 1]), 0.0)

    assert [type(effect) for effect in effects] == [Send, Deliver]
    assert notes.held == {"one": 1}


def test_exchanges_of_handlers_have_timers_of_their_layer_and_can_be_cancelled() -> None:
    made, _ = with_notes("a")

    effects = made.timer_fired("handlers:period", 10.0)

    assert [effect.name for effect in effects if isinstance(effect, SetTimer)] == ["handlers:period", "handlers:1"]
    assert made.cancel_exchanges(11.0, topic="notes") == [CancelTimer("handlers:1")]
    assert made.handlers is not None and made.handlers.exchanges == []


@pytest.mark.parametrize("topic", [EXCHANGE_TOPIC, HEARTBEAT_TOPIC, "state/broadcast/notes"])
def test_topics_of_the_stack_itself_cannot_be_broadcast(topic: str) -> None:
    made, _ = with_notes("a")

    with pytest.raises(ConfigError, match="topic"):
        made.broadcast(topic, "payload", 0.0)


def test_state_needs_a_handler_of_its_topic() -> None:
    made, _ = with_notes("a")

    with pytest.raises(ConfigError, match="one with a handler: notes"):
        made.broadcast_state("other", ("one", 1), 0.0)
    with pytest.raises(ConfigError, match="handlers"):
        stack("a").broadcast_state("notes", ("one", 1), 0.0)


# Lives and evictions.


def test_a_node_that_is_told_to_leaves_and_says_who_told_it_but_only_once() -> None:
    made = stack("a", "b")

    effects = made.receive("b", Evict(), 1.0)

    assert [effect for effect in effects if isinstance(effect, NeighbourDown | Evicted)] == [
        NeighbourDown("a", failed=False),
        NeighbourDown("b", failed=False),
        Evicted("b"),
    ]
    assert made.receive("a", Evict(), 2.0) == []
    made.join("a", 3.0)
    assert Evicted("a") in made.receive("a", Evict(), 4.0)


def test_evicting_tells_the_other_one_where_the_strategy_has_no_way_of_its_own() -> None:
    made = stack("a")
    mesh = ProtocolStack(
        1, FullMesh(1, FullMeshOptions(), random.Random(1)), Flood(1, FloodOptions(), random.Random(1))
    )
    mesh.start(0.0)

    assert made.evict("b", 1.0) == [Send("b", Evict())]
    assert made.evict("me", 1.0) == []
    assert mesh.evict(2, 1.0) == [], "who is no member there is not evicted"
    assert mesh.receive(2, Evict(), 1.0) == [], "and who is none evicts nobody"


def test_a_strategy_that_does_not_follow_lives_is_told_that_the_former_one_is_down() -> None:
    assert NeighbourDown("a", failed=True) in stack("a", "b").supersede("a", "a'", 1.0)


# The failure detector.


def watched(*peers: str) -> ProtocolStack:
    rng = random.Random(1)
    swim = Swim("me", SwimOptions(spreads_start=False), rng)
    made = ProtocolStack("me", StaticOverlay(peers), Flood("me", FloodOptions(), rng), detector=swim)
    assert SetTimer("detector:period", 0.0) in made.start(0.0)
    for peer in peers:
        made.peer_up(peer, 0.0)
    return made


def test_neighbours_are_watched_and_what_comes_from_them_spares_them_the_ping() -> None:
    made = watched("a")

    def pinged(now: float) -> list[Peer]:
        effects = made.timer_fired("detector:period", now)
        return [e.peer for e in effects if isinstance(e, Send) and isinstance(e.message, Ping)]

    assert pinged(0.0) == ["a"]
    assert made.receive("a", Ack(1, ()), 0.1) == []
    assert pinged(1.0) == []
    assert pinged(2.0) == ["a"]
    made.receive("a", HELLO, 2.9)
    assert pinged(3.0) == []
    assert pinged(4.0) == ["a"]
    made.peer_down("a", 4.5)
    assert pinged(5.0) == []


def test_what_the_detector_finds_goes_out_for_the_driver_to_act_on() -> None:
    made, now, found = watched("a"), 0.0, []

    for _ in range(30):
        now += 1.0
        for name in ("detector:period", "detector:suspicion:1"):
            found += [e for e in made.timer_fired(name, now) if isinstance(e, Suspected | Confirmed)]

    assert found == [Suspected("a", by="me"), Confirmed("a")]
    assert made.neighbours == ("a",), "until the driver says that it is down"
