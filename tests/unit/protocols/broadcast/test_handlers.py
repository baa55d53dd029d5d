"""Handlers: state of users, carried about by broadcasts and repaired by exchanges."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.protocols.broadcast.handler import HandlerFailed, HandlerGrafted, HandlerOffer, HandlerWant
from partisan_actors.protocols.broadcast.handlers import HandlerOptions, Handlers
from partisan_actors.protocols.machine import CancelTimer, Peer, Send, SetTimer
from tests.notes import Notes


def machine(*neighbours: str, lazy: Iterable[str] = (), **options: object) -> Handlers:
    made = Handlers("me", HandlerOptions(**options), random.Random(1), lambda: list(lazy))  # type: ignore[arg-type]  # options vary
    for peer in neighbours:
        made.neighbour_up(peer, 0.0)
    return made


def with_notes(notes: Notes, *neighbours: str, **options: Any) -> Handlers:
    made = machine(*neighbours, **options)
    made.add(notes)
    return made


def offers(effects: Iterable[object]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send) and isinstance(effect.message, HandlerOffer)]


def test_what_a_broadcast_brings_is_merged_and_counted_as_news_or_stale() -> None:
    notes = Notes()
    made = with_notes(notes)

    for _ in range(2):
        made.delivered("notes", ["one", 1], 0.0)

    assert notes.held == {"one": 1}
    assert (made.merged, made.stale) == (1, 1)


@pytest.mark.parametrize("payload", ["text", ["one"], None, ["one", 1, 2]])
def test_a_broadcast_that_is_no_pair_is_ignored(payload: object) -> None:
    notes = Notes()

    assert with_notes(notes).delivered("notes", payload, 0.0) == []
    assert notes.held == {}


def test_an_exchange_brings_each_side_what_it_lacks() -> None:
    mine, theirs = Notes(one=1, both=0), Notes(two=2, both=0)
    me, other = with_notes(mine, "other"), with_notes(theirs, "me")

    (offer,) = offers(me.timer_fired("period", 0.0))
    (want,) = other.receive("me", offer.message, 0.1)
    (graft,) = me.receive("other", want.message, 0.2)  # type: ignore[union-attr]  # a Send
    (last,) = other.receive("me", graft.message, 0.3)  # type: ignore[union-attr]  # a Send
    ended = me.receive("other", last.message, 0.4)  # type: ignore[union-attr]  # a Send

    assert mine.held == theirs.held == {"one": 1, "two": 2, "both": 0}
    assert ended == [CancelTimer("1")]
    assert me.exchanges == other.exchanges == []


def test_when_nobody_lacks_anything_the_exchange_ends_with_the_answer() -> None:
    me, other = with_notes(Notes(one=1), "other"), with_notes(Notes(one=1), "me")

    (offer,) = offers(me.timer_fired("period", 0.0))
    (want,) = other.receive("me", offer.message, 0.1)

    assert me.receive("other", want.message, 0.2) == [CancelTimer("1")]  # type: ignore[union-attr]  # a Send


def test_a_handler_has_one_exchange_at_a_time() -> None:
    made = with_notes(Notes(one=1), "a", "b")

    assert len(offers(made.timer_fired("period", 0.0))) == 1
    assert offers(made.timer_fired("period", 10.0)) == []


def test_no_more_exchanges_than_the_bound_are_under_way() -> None:
    made = machine("a", exchanges_max=2)
    for number in range(5):
        made.add(Notes(f"notes {number}"))

    assert len(offers(made.timer_fired("period", 0.0))) == len(made.exchanges) == 2


def test_at_the_bound_every_handler_has_its_turn_in_time() -> None:
    made = machine("a", exchanges_max=1)
    for number in range(5):
        made.add(Notes(f"notes {number}"))
    begun: set[str] = set()

    for _ in range(60):
        made.timer_fired("period", 0.0)
        begun.update(ref.topic for ref in made.exchanges)
        made.cancel()

    assert len(begun) == 5


def test_an_exchange_that_takes_too_long_is_given_up_and_its_answers_come_to_nothing() -> None:
    notes = Notes()
    made = with_notes(notes, "a", exchange_timeout_s=5.0)
    effects = made.timer_fired("period", 0.0)

    made.timer_fired("1", 5.0)

    assert SetTimer("1", 5.0) in effects
    assert (made.exchanges, made.timed_out) == ([], 1)
    assert made.receive("a", HandlerWant("notes", 1, (), ("two",)), 6.0) == []
    assert made.receive("a", HandlerGrafted("notes", 1, (("two", 2),), (), is_last=True), 6.0) == []
    assert notes.held == {}


def test_optimized_selection_prefers_neighbours_the_tree_does_not_lead_to() -> None:
    for chosen, expected in (("optimized", {"b"}), ("normal", {"a", "b", "c"})):
        made = with_notes(Notes(), "a", "b", "c", lazy=["b", "stranger"], selection=chosen)
        peers: set[Peer] = set()
        for _ in range(50):
            made.timer_fired("period", 0.0)
            peers.update(ref.peer for ref in made.exchanges)
            made.cancel()

        assert peers == expected


def test_when_the_tree_leads_to_all_neighbours_optimized_selection_takes_any() -> None:
    made = with_notes(Notes(), "a", lazy=[])

    assert [offer.peer for offer in offers(made.timer_fired("period", 0.0))] == ["a"]


@pytest.mark.parametrize(
    ("which", "left"),
    [
        ({}, []),
        ({"topic": "notes 1"}, [1, 3]),
        ({"peer": "a"}, []),
        ({"peer": "b"}, [1, 2, 3]),
        ({"number": 3}, [1, 2]),
        ({"number": 9}, [1, 2, 3]),
    ],
)
def test_cancelling_by_all_topic_peer_or_number_ends_exactly_those(which: dict[str, Any], left: list[int]) -> None:
    made = machine("a")
    for number in range(3):
        made.add(Notes(f"notes {number}"))
    made.timer_fired("period", 0.0)
    by_topic = {ref.topic: ref.number for ref in made.exchanges}
    if "topic" in which:
        left = sorted(number for topic, number in by_topic.items() if topic != which["topic"])

    effects = made.cancel(**which)

    assert [ref.number for ref in made.exchanges] == left
    assert effects == [CancelTimer(str(number)) for number in (1, 2, 3) if number not in left]


def test_the_exchanges_of_a_lost_neighbour_and_of_a_removed_handler_are_over() -> None:
    made = with_notes(Notes(), "a")

    made.timer_fired("period", 0.0)
    assert made.neighbour_down("a", 1.0) == [CancelTimer("1")]
    made.neighbour_up("a", 2.0)
    made.timer_fired("period", 10.0)
    assert made.remove("notes") == [CancelTimer("2")]


class Broken(Notes):
    """A handler all of whose methods raise."""

    def _raise(self, *args: Any) -> Any:
        raise RuntimeError("broken")

    merge = is_stale = graft = exchange = _raise


def test_a_handler_that_raises_is_named_and_counted_and_stops_nothing() -> None:
    notes = Notes()
    made = machine("a")
    made.add(Broken("broken"))
    made.add(notes)

    effects = made.timer_fired("period", 0.0)
    effects += made.delivered("broken", ["one", 1], 0.0)
    effects += made.receive("a", HandlerOffer("broken", 7, ("one",)), 0.0)
    effects += made.receive("a", HandlerGrafted("broken", 7, (("one", 1),), ("two",), is_last=False), 0.0)
    made.delivered("notes", ["one", 1], 0.0)

    failed = [(effect.topic, effect.method) for effect in effects if isinstance(effect, HandlerFailed)]
    assert failed == [("broken", each) for each in ("exchange", "merge", "exchange", "is_stale", "merge", "graft")]
    assert made.failed == 6
    assert [offer.message.topic for offer in offers(effects)] == ["notes"]  # type: ignore[attr-defined]  # an offer
    assert notes.held == {"one": 1}


def test_ids_of_a_wrong_type_are_the_handlers_failure() -> None:
    class Odd(Notes):
        def exchange(self, peer: Peer) -> Any:
            return [("a", "tuple")]

    effects = with_notes(Odd(), "a").timer_fired("period", 0.0)  # type: ignore[arg-type]  # the point of the test

    (failure,) = [effect for effect in effects if isinstance(effect, HandlerFailed)]
    assert failure.method == "exchange" and "int, str or bytes" in str(failure.error)


def test_a_handler_that_does_not_want_an_exchange_has_none() -> None:
    class Silent(Notes):
        def exchange(self, peer: Peer) -> Any:
            return None

    assert offers(with_notes(Silent(), "a").timer_fired("period", 0.0)) == []


def test_messages_for_a_topic_without_a_handler_are_ignored() -> None:
    assert machine("a").receive("a", HandlerOffer("notes", 1, ("one",)), 0.0) == []


def test_many_ids_are_compared_a_part_at_a_time() -> None:
    mine, theirs = Notes(), Notes()
    mine.held.update({f"{number}": number for number in range(100)})
    me, other = (
        with_notes(mine, "other", ids_max=20, grafts_max=10),
        with_notes(theirs, "me", ids_max=20, grafts_max=10),
    )

    rounds = 0
    while theirs.held != mine.held:
        rounds += 1
        assert rounds < 300
        messages: list[Any] = [(other, "me", each.message) for each in offers(me.timer_fired("period", 0.0))]
        while messages:
            to, sender, message = messages.pop(0)
            assert len(getattr(message, "ids", ())) <= 20 and len(getattr(message, "grafted", ())) <= 10
            answers = [effect.message for effect in to.receive(sender, message, 0.0) if isinstance(effect, Send)]
            messages += [((me, "other") if to is other else (other, "me")) + (answer,) for answer in answers]

    assert rounds >= 10


def test_a_topic_has_one_handler_and_there_is_a_bound() -> None:
    made = machine(handlers_max=2)
    made.add(Notes("one"))

    with pytest.raises(ConfigError, match="no handler yet"):
        made.add(Notes("one"))
    made.add(Notes("two"))
    with pytest.raises(ConfigError, match="at most 2"):
        made.add(Notes("three"))
    with pytest.raises(ConfigError, match="not empty"):
        made.add(Notes(""))


@pytest.mark.parametrize(
    ("field", "value"),
    [("period_s", 0.0), ("exchange_timeout_s", -1.0), ("exchanges_max", 0), ("grafts_max", 0), ("selection", "best")],
)
def test_an_option_that_makes_no_sense_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        HandlerOptions(**{field: value})  # type: ignore[arg-type]  # the point of the test
