"""Tests of what one node holds of its peers."""

from __future__ import annotations

import random
from typing import Any

from partisan_actors.protocols.detector.opinions import Cleared, Confirmed, Opinions, Suspected
from partisan_actors.protocols.detector.rota import Rota
from partisan_actors.protocols.detector.rumours import ALIVE, CONFIRM, SUSPECT, Update
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.protocols.machine import CancelTimer, SetTimer


def opinions(*peers: str, **options: Any) -> Opinions:
    made = Opinions("me", SwimOptions(gossip_factor=1.0, **options), Rota(random.Random(1)))
    for peer in peers:
        made.add(peer, 0)
    return made


def suspect(peer: str, incarnation: int = 0, by: str = "me") -> Update:
    return Update(SUSPECT, peer, incarnation, by)


def alive(peer: str, incarnation: int) -> Update:
    return Update(ALIVE, peer, incarnation, peer)


def test_a_suspicion_takes_the_most_time_and_each_confirmation_shortens_it() -> None:
    held = opinions("a", "b", "c", "d", "e")

    first = held.suspect(suspect("a"), 100.0)
    second = held.suspect(suspect("a", by="b"), 101.0)

    assert first == [SetTimer("suspicion:1", 10.0), Suspected("a", "me")]
    assert [type(effect) for effect in second] == [SetTimer]
    assert 4.0 < second[0].delay_s < 9.0
    assert held.suspect(suspect("a", by="b"), 102.0) == []


def test_in_a_small_group_there_is_nobody_to_confirm_and_the_least_time_counts() -> None:
    held = opinions("a", "b")

    assert SetTimer("suspicion:1", 5.0) in held.suspect(suspect("a"), 0.0)


def test_a_suspect_that_raises_its_incarnation_is_cleared() -> None:
    held = opinions("a", "b")
    held.suspect(suspect("a"), 0.0)

    assert held.alive(alive("a", 0)) == []
    assert held.alive(alive("a", 1)) == [CancelTimer("suspicion:1"), Cleared("a")]
    assert held.suspect(suspect("a", 0), 1.0) == []
    assert Suspected("a", "me") in held.suspect(suspect("a", 1), 1.0)


def test_a_suspicion_in_a_newer_incarnation_begins_anew_without_being_told_again() -> None:
    held = opinions("a", "b")
    held.suspect(suspect("a", 0), 0.0)

    effects = held.suspect(suspect("a", 1), 3.0)

    assert effects == [CancelTimer("suspicion:1"), SetTimer("suspicion:2", 5.0)]
    assert held.ended("1") == []


def test_when_its_time_is_up_a_suspect_is_confirmed_and_remembered() -> None:
    held = opinions("a", "b")
    held.suspect(suspect("a"), 0.0)

    assert held.ended("1") == [CancelTimer("suspicion:1"), Confirmed("a")]

    assert not held.knows("a") and held.is_gone("a") and held.members == 2
    assert held.suspect(suspect("a", 5), 9.0) == held.alive(alive("a", 9)) == []
    assert held.confirm(Update(CONFIRM, "a", 0, "b")) == []


def test_only_so_many_of_those_that_went_are_remembered() -> None:
    held = opinions("a", "b", "c", gone_max=2)

    for peer in "abc":
        held.confirm(Update(CONFIRM, peer, 0, "me"))

    assert [held.is_gone(peer) for peer in "abc"] == [False, True, True]


def test_without_suspicions_who_does_not_answer_is_confirmed_at_once() -> None:
    assert opinions("a", "b", suspects=False).suspect(suspect("a"), 0.0) == [Confirmed("a")]


def test_who_is_not_watched_any_more_is_no_suspect() -> None:
    held = opinions("a", "b")
    held.suspect(suspect("a"), 0.0)

    assert held.drop("a") == [CancelTimer("suspicion:1")]
    assert held.drop("a") == [] and held.suspects == []


def test_suspects_get_the_time_back_in_which_nothing_could_be_heard() -> None:
    held = opinions("a", "b")
    held.suspect(suspect("a"), 0.0)

    assert held.postpone(3.0, 4.0) == [SetTimer("suspicion:1", 4.0)]
    assert held.lateness("1", 8.5) == 0.5
