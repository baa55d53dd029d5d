"""Round trips as costs."""

from __future__ import annotations

from partisan_actors.protocols.membership.xbot_oracle import Oracle, RoundTrips


def measure(trips: RoundTrips, peer: str, sent_s: float, trip_s: float) -> bool:
    return trips.answered(peer, trips.probe(peer, sent_s), sent_s + trip_s)


def test_it_is_an_oracle() -> None:
    assert isinstance(RoundTrips(8), Oracle)


def test_a_cost_is_known_from_the_second_answer_on_and_is_the_quicker_one() -> None:
    trips = RoundTrips(8)

    measure(trips, "a", 0.0, 0.75)
    first = trips.cost("a")
    measure(trips, "a", 1.0, 0.25)

    assert first is None
    assert trips.cost("a") == 0.25
    assert trips.cost("b") is None


def test_slower_round_trips_draw_the_cost_up_little_by_little() -> None:
    trips = RoundTrips(8)
    for turn in range(2):
        measure(trips, "a", float(turn), 0.25)

    measure(trips, "a", 2.0, 0.75)
    once = trips.cost("a")
    for turn in range(3, 60):
        measure(trips, "a", float(turn), 0.75)

    assert once == 0.25 + 0.5 / 8
    assert trips.cost("a") is not None and 0.74 < (trips.cost("a") or 0.0) <= 0.75


def test_only_the_answer_to_the_last_probe_counts_and_only_once() -> None:
    trips = RoundTrips(8)
    former = trips.probe("a", 0.0)
    last = trips.probe("a", 5.0)

    assert not trips.answered("a", former, 6.0)
    assert not trips.answered("b", last, 6.0)
    assert trips.answered("a", last, 6.0)
    assert not trips.answered("a", last, 6.5)


def test_the_peer_that_answered_least_recently_is_forgotten() -> None:
    trips = RoundTrips(2)
    for peer in ("a", "b", "a", "b", "a"):
        measure(trips, peer, 0.0, 0.5)

    for _ in range(2):
        measure(trips, "c", 0.0, 0.5)

    assert [trips.cost(peer) for peer in "abc"] == [0.5, None, 0.5]


def test_probes_that_are_never_answered_are_bounded() -> None:
    trips = RoundTrips(2)
    numbers = [trips.probe(peer, 0.0) for peer in "abc"]

    assert [trips.answered(peer, number, 1.0) for peer, number in zip("abc", numbers, strict=True)] == [
        False, True, True,
    ]  # fmt: skip
