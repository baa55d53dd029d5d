"""The messages that a node keeps for those who ask."""

from __future__ import annotations

from partisan_actors.protocols.broadcast.held import LATELY_MAX, Held
from partisan_actors.protocols.broadcast.plumtree_messages import Gossip, Lately


def held(count_max: int = 4096, bytes_max: int = 10**6, lately_s: float = 10.0) -> Held:
    return Held(count_max, bytes_max, lately_s, lambda topic: topic == "state")


def gossip(counter: int, payload: bytes = b"", topic: str = "news") -> Gossip:
    return Gossip("o", counter, topic, 1, payload)


def test_the_oldest_goes_first_when_there_are_too_many_or_too_large_ones() -> None:
    few, small = held(count_max=2), held(bytes_max=10)
    for counter in (1, 2, 3):
        few.keep(gossip(counter), "a", 0.0)
        small.keep(gossip(counter, b"12345"), "a", 0.0)

    assert [("o", counter) in few for counter in (1, 2, 3)] == [False, True, True]
    assert [("o", counter) in small for counter in (1, 2, 3)] == [False, True, True]


def test_one_that_is_larger_than_the_bound_is_kept_alone() -> None:
    messages = held(bytes_max=10)
    messages.keep(gossip(1, b"12345"), "a", 0.0)
    messages.keep(gossip(2, b"1" * 100), "a", 0.0)

    assert ("o", 1) not in messages and ("o", 2) in messages


def test_what_comes_again_after_it_was_forgotten_as_seen_counts_once() -> None:
    messages = held(bytes_max=10)
    for _ in range(5):
        messages.keep(gossip(1, b"12345"), "a", 0.0)
    messages.keep(gossip(2, b"12345"), "a", 0.0)

    assert ("o", 1) in messages and ("o", 2) in messages


def test_a_burst_is_told_of_as_one_run_and_no_more_than_the_latest() -> None:
    messages = held()
    for counter in range(1, LATELY_MAX + 101):
        messages.keep(gossip(counter), "a", 1.0)

    assert messages.lately(3.0) == Lately((("o", 101, LATELY_MAX + 100, 2, 2.0),))


def test_what_is_old_or_state_is_not_told_of() -> None:
    messages = held(lately_s=5.0)
    messages.keep(gossip(1), "a", 0.0)
    messages.keep(gossip(2, topic="state"), "a", 9.0)

    assert messages.lately(4.0) == Lately((("o", 1, 1, 2, 4.0),))
    assert messages.lately(10.0) is None
