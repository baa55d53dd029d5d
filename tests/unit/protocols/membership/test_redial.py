"""Dialling again: back-off, the bounds on tries and peers, and rounding."""

from __future__ import annotations

from random import Random

import pytest

from partisan_actors.protocols.membership.redial import Redial, RedialOptions

OPTIONS = RedialOptions(first_s=1.0, longest_s=8.0, tries_max=6, peers_max=3)


def redial(seed: int = 1) -> Redial:
    return Redial(OPTIONS, Random(seed))


def waits(dialler: Redial, tries: int) -> list[float]:
    """The pauses before each of the first `tries` tries of the only peer there is."""
    now, pauses = 0.0, []
    for _ in range(tries):
        delay = dialler.next_delay(now)
        assert delay is not None
        pauses.append(delay)
        now += delay
        assert dialler.due(now) == ["a"]
    return pauses


@pytest.mark.parametrize("seed", range(5))
def test_each_wait_is_about_twice_the_last_up_to_the_longest(seed: int) -> None:
    dialler = redial(seed)
    dialler.add("a", 0.0)

    pauses = waits(dialler, 5)

    for pause, middle in zip(pauses, [1.0, 2.0, 4.0, 8.0, 8.0], strict=True):
        assert 0.5 * middle <= pause <= 1.5 * middle, f"seed {seed}: {pauses}"


def test_a_peer_is_forgotten_with_its_last_try() -> None:
    dialler = redial()
    dialler.add("a", 0.0)

    waits(dialler, OPTIONS.tries_max)

    assert "a" not in dialler
    assert dialler.next_delay(100.0) is None


def test_a_peer_is_never_forgotten_by_one_who_does_not_give_up() -> None:
    dialler = redial()
    dialler.add("a", 0.0)

    tried = [dialler.due(20.0 * count, give_up=False) for count in range(1, 60)]

    assert tried == [["a"]] * 59
    assert "a" in dialler


def test_a_peer_that_answered_is_not_tried_again() -> None:
    dialler = redial()
    dialler.add("a", 0.0)

    assert dialler.discard("a") is True
    assert dialler.discard("a") is False
    assert dialler.due(100.0) == []


def test_adding_a_waiting_peer_again_does_not_start_it_over() -> None:
    dialler = redial()
    dialler.add("a", 0.0)
    waits(dialler, 4)

    assert dialler.add("a", 50.0) is False
    assert dialler.due(50.0) == ["a"]


def test_the_first_to_come_is_given_up_for_one_too_many() -> None:
    dialler = redial()

    for peer in "abcd":
        dialler.add(peer, 0.0)

    assert dialler.due(100.0) == ["b", "c", "d"]


def test_a_moment_rounded_down_is_not_too_early() -> None:
    dialler = redial()
    dialler.add("a", 0.0)
    delay = dialler.next_delay(0.0)
    assert delay is not None

    assert dialler.due(delay - 1e-9) == ["a"]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"first_s": 0.0}, "first_s = 0.0 is not valid"),
        ({"first_s": 9.0, "longest_s": 8.0}, "first_s = 9.0 is not valid: expected 0 < first_s <= 8.0"),
        ({"tries_max": 0}, "tries_max = 0 is not valid: expected an int of at least 1"),
        ({"peers_max": 1.5}, "peers_max = 1.5 is not valid: expected an int of at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        RedialOptions(**wrong)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("seed", range(20))
def test_a_peer_that_is_away_for_a_minute_is_tried_a_dozen_times_at_most_and_again_soon_when_it_is_back(
    seed: int,
) -> None:
    options = RedialOptions()
    dialler, now, tries = Redial(options, Random(seed)), 0.0, 0
    dialler.add("a", now)

    while (now := now + (dialler.next_delay(now) or 0.0)) < 60.0:
        tries += len(dialler.due(now))

    assert 3 <= tries <= 12
    assert now - 60.0 <= 1.5 * options.longest_s
