"""What becomes of a tie whose question fails, and the two tables."""

from __future__ import annotations

import pytest

from partisan_actors.actors.ties import (
    GIVEN_UP_MAX,
    RETRY_MAX_S,
    Again,
    Tie,
    Watched,
    Watcher,
    Watching,
    outcome,
)
from partisan_actors.errors import ActorNotFound, ActorStopped, ActorUnavailable, NodeDown, NoRoute, Overloaded
from partisan_actors.ids import ActorId, NodeId

N1, N2 = NodeId("n1", 1), NodeId("n2", 1)
A, B = ActorId(N1, 1), ActorId(N2, 2)
BROKE = ActorUnavailable("B", "the connection broke")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NodeDown("n2", "it left"), "node down: it left"),
        (ActorNotFound("B"), "noproc"),
        (ActorStopped("B", "it exited: boom"), "noproc"),
        (ValueError("odd"), "odd"),
    ],
)
def test_a_first_question_that_gets_an_error_fires(error: Exception, reason: str) -> None:
    assert outcome(Tie(1, B, A), error, N2, is_lost=False) == reason


def test_an_end_while_it_waited_or_between_two_questions_has_its_reason() -> None:
    error = ActorStopped("B", "it exited: boom")

    assert outcome(Tie(1, B, A, attempts=2), error, N2, is_lost=False) == "boom"
    assert outcome(Tie(1, B, A, is_parked=True), error, None, is_lost=False) == "boom"


@pytest.mark.parametrize("error", [BROKE, NoRoute("n2", "none"), Overloaded("n2", 1)])
def test_what_says_nothing_about_the_actor_is_asked_again_ever_less_often(error: Exception) -> None:
    waits = [outcome(Tie(1, B, A, host=N2, attempts=n), error, N2, is_lost=False) for n in range(1, 40)]

    seconds = [wait.after_s for wait in waits if isinstance(wait, Again)]
    assert len(seconds) == len(waits) and seconds == sorted(seconds) and seconds[-1] == RETRY_MAX_S


def test_another_life_is_not_asked_for_this_one() -> None:
    assert outcome(Tie(1, B, A, host=N2), BROKE, N1, is_lost=False) == "node down: the connection broke"
    assert outcome(Tie(1, B, A, host=N2), BROKE, None, is_lost=False) == "node down: the connection broke"
    assert outcome(Tie(1, B, A), BROKE, None, is_lost=True) == "node down: the connection broke"


def test_a_tie_ends_once_and_a_watcher_takes_its_ties_with_it() -> None:
    watching: Watching[Tie] = Watching()
    ties = [Tie(1, B, A), Tie(2, B, A, is_link=True), Tie(3, B, None)]
    for tie in ties:
        watching.add(tie)
    assert watching.link(A, B) is ties[1] and watching.find(3) is ties[2]

    assert watching.end(ties[0]) and not watching.end(ties[0])
    watching.add(ties[0])  # the answer was faster than whoever asked
    assert watching.watcher_ended(A) == [ties[1]]
    assert watching.link(A, B) is None and watching.all() == [ties[2]] and len(watching) == 1


def test_the_same_question_twice_is_one_entry_with_the_newer_request() -> None:
    watched = Watched()
    assert watched.add(B, 7, Watcher(N1, 1, A, False, "calls"))
    assert watched.add(B, 7, Watcher(N1, 2, A, False, "calls"))

    assert len(watched) == 1
    assert [each.request for each in watched.ended(B)] == [2]
    assert len(watched) == 0 and watched.ended(B) == []


def test_what_was_given_up_is_not_taken_again() -> None:
    watched = Watched()
    watched.remove(B, N1, 7)  # faster than the question
    assert not watched.add(B, 7, Watcher(N1, 1, A, False, "calls"))

    watched.add(B, 8, Watcher(N1, 2, A, True, "calls"))
    watched.add(B, 9, Watcher(N1, 3, A, False, "calls"))
    watched.unlinked(B, A)
    assert not watched.add(B, 8, Watcher(N1, 4, A, True, "calls"))
    assert [each.request for each in watched.ended(B)] == [3]


def test_what_was_given_up_is_remembered_up_to_a_bound() -> None:
    watched = Watched()
    for number in range(GIVEN_UP_MAX + 1):
        watched.remove(B, N1, number)

    assert watched.add(B, 0, Watcher(N1, 1, A, False, "calls"))
    assert not watched.add(B, 1, Watcher(N1, 1, A, False, "calls"))


def test_a_node_that_goes_down_takes_its_watchers_with_it() -> None:
    watched = Watched()
    watched.add(B, 1, Watcher(N1, 1, A, False, "calls"))
    watched.add(B, 1, Watcher(N2, 1, None, False, "calls"))
    watched.add(A, 2, Watcher(N1, 1, None, False, "calls"))

    watched.node_down(N1)

    assert len(watched) == 1 and [each.node for each in watched.ended(B)] == [N2]
