"""Which messages, when they are lost, break a promise: it is found, with no more than it needs, or there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.faults.messages import DROP, Passing
from partisan_actors.faults.omissions import Omissions, between_nodes, explore
from tests.unit.faults.protocols import Hasty, Impatient, Participant, Primary, backed_up, commit

Play = Callable[[Omissions], None]


def passing(method: str = "add", **changes: str) -> Passing:
    given = {"direction": "in", "kind": "call", "sender": "a", "receiver": "b", "source": "a", "destination": "b"}
    return Passing(**{**given, **changes}, channel="calls", actor="X", method=method, size=1, is_relayed=False)


@pytest.mark.parametrize("prune", [True, False])
@pytest.mark.parametrize(("play", "needed"), [(commit(Impatient), 1), (backed_up(Hasty), 2)], ids=["2pc", "backup"])
def test_a_mistake_is_found_with_no_more_losses_than_it_needs_and_shows_again(
    play: Play, needed: int, prune: bool
) -> None:
    found = explore(play, omissions_max=3, runs_max=200, prune=prune)

    assert found.lost is not None and len(found.lost) == needed, str(found)
    with pytest.raises(AssertionError) as again:
        play(Omissions(found.lost))
    assert str(again.value) == str(found.error)
    for fewer in combinations(found.lost, needed - 1):
        play(Omissions(fewer))


@pytest.mark.parametrize(
    ("play", "omissions_max"), [(commit(Participant), 3), (backed_up(Primary), 4)], ids=["2pc", "backup"]
)
def test_without_a_mistake_everything_is_tried_and_pruning_changes_how_much_and_not_what_is_found(
    play: Play, omissions_max: int
) -> None:
    whole = explore(play, omissions_max=omissions_max, runs_max=100_000, prune=False)
    pruned = explore(play, omissions_max=omissions_max, runs_max=100_000)

    assert whole.is_whole and pruned.is_whole and whole.lost is pruned.lost is None
    assert pruned.runs < whole.runs and pruned.pruned > 0 == whole.pruned


def test_each_set_of_messages_is_tried_once_and_smaller_ones_first() -> None:
    tried: list[tuple[str, ...]] = []

    def play(omissions: Omissions) -> None:
        for method in "abcd":
            omissions(passing(method))
        tried.append(tuple(sorted(message.method for message in omissions.lost)))

    explore(play, omissions_max=3, prune=False)

    assert tried == [each for size in range(4) for each in combinations("abcd", size)]


def test_runs_that_were_the_same_for_every_node_are_gone_on_from_once() -> None:
    arrived: list[str] = []

    def play(omissions: Omissions) -> None:
        # The same twice: it does not matter which of them is lost.
        arrived.append("".join(method for method in "aab" if omissions(passing(method)) is None))

    found = explore(play, omissions_max=2)

    assert found.is_whole and found.pruned == 1
    assert set(arrived) == {"aab", "ab", "aa", "b", "a"}


def test_at_the_bound_of_runs_it_says_that_not_all_was_tried() -> None:
    found = explore(lambda omissions: omissions(passing()), runs_max=1)

    assert found.runs == 1 and not found.is_whole
    assert str(found) == "nothing found in 1 runs, which are not all"


def test_a_run_that_fails_by_itself_needs_no_losses() -> None:
    def play(omissions: Omissions) -> None:
        raise ValueError("always")

    found = explore(play)

    assert found.lost == () and str(found) == "found in 1 runs: ValueError: always\nwhen these are lost:\n  (nothing)"


def test_what_was_found_is_told_message_by_message() -> None:
    def play(omissions: Omissions) -> None:
        omissions(passing("add"))
        assert omissions(passing("add")) is None, "the second is needed"

    assert str(explore(play)).endswith("when these are lost:\n  call 2 from a to b X.add")


def test_a_run_that_does_not_repeat_is_refused() -> None:
    names: Iterator[str] = iter("abcdef")

    with pytest.raises(ConfigError, match="a run that repeats"):
        explore(lambda omissions: omissions(passing(next(names))))


@pytest.mark.parametrize("wrong", [{"omissions_max": 0}, {"omissions_max": True}, {"runs_max": 0}, {"runs_max": 1.5}])
def test_bounds_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        explore(lambda omissions: None, **wrong)


def test_calls_tells_and_replies_count_where_they_arrive_at_another_node() -> None:
    counted = [
        passing(),
        passing(kind="tell"),
        passing(kind="reply"),
        passing(sender="between"),  # the last hop
    ]
    others = [
        passing(direction="out"),
        passing(kind="ping"),
        passing(sender="b", source="b"),
        passing(receiver="between"),
    ]

    assert [between_nodes(each) for each in (*counted, *others)] == [True] * 4 + [False] * 4
    omissions = Omissions(concerns=between_nodes)
    assert [omissions(each) for each in others] == [None] * 4 and omissions.passed == []
    assert omissions(counted[0]) is None
    assert Omissions(omissions.passed)(counted[0]) == DROP
