"""The words for why actors end, and what exit signals do."""

from __future__ import annotations

import pytest

from partisan_actors.actors.reasons import (
    UNREADABLE,
    ActorExit,
    effect_of_exit,
    end_of,
    exited,
    kind_of,
    raised,
    reason_of,
)
from partisan_actors.errors import ActorGroupRemoved, ActorStopped, PlacementGroupRemoved
from partisan_actors.node.template import status_text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (exited("normal"), "normal"),
        (exited("killed"), "killed"),
        (exited("it exited: twice"), "it exited: twice"),
        ("it was killed by node n1", "killed"),
        (raised(ValueError("no")), "ValueError: no"),
        (raised(ActorExit("bye")), "bye"),
        ("its node stopped", "node down: it stopped"),
        ("its owner, node n1, is gone: it left the cluster", "its owner, node n1, is gone: it left the cluster"),
    ],
)
def test_the_reason_is_read_out_of_the_text_that_callers_get(text: str, reason: str) -> None:
    assert reason_of(text) == reason


@pytest.mark.parametrize(
    ("reason", "traps", "is_link", "is_itself", "effect"),
    [
        ("normal", False, True, False, None),
        ("normal", False, False, False, None),
        ("normal", False, False, True, "normal"),
        ("normal", True, True, False, ""),
        ("boom", False, True, False, "boom"),
        ("boom", True, True, False, ""),
        ("kill", True, False, False, "killed"),
        ("kill", True, True, False, ""),
        ("killed", False, True, False, "killed"),
    ],
)
def test_exit_signals_do_what_they_do_in_erlang(
    reason: str, traps: bool, is_link: bool, is_itself: bool, effect: str | None
) -> None:
    assert effect_of_exit(reason, traps=traps, is_link=is_link, is_itself=is_itself) == effect


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (status_text(12, 3 << 8), "process ended"),
        (status_text(12, 9), "ended by a signal"),
        (status_text(12, 9, for_want_of_memory=True), "out of memory"),
        (status_text(12, None), "process ended"),
        ("it was killed by node n1", "killed"),
        ("its owner, node n1, is gone: it left the cluster", "owner gone"),
        ("its node n1 is gone", "node down"),
        (raised(ImportError("no")), "constructor failed"),
        (f"{UNREADABLE}ValueError: no", "unreadable"),
        ("whatever", "other"),
    ],
)
def test_each_way_to_end_has_a_word_of_its_own(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_an_actor_that_ended_with_its_placement_group_says_so_by_its_error_wherever_it_ran() -> None:
    gone = end_of("A (a)", "its placement group 'g' is over, as it was removed")

    assert type(gone) is ActorGroupRemoved
    assert isinstance(gone, PlacementGroupRemoved)
    assert (gone.actor, gone.reason) == ("A (a)", "its placement group 'g' is over, as it was removed")
    assert type(end_of("A (a)", "it was killed")) is ActorStopped
