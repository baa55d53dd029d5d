"""Tests of histograms of durations: the right bucket, sums that add up over nodes, and quantiles that are near."""

from __future__ import annotations

import random

import pytest

from partisan_actors.telemetry.histogram import BOUNDS_S, Histogram, merged, quantile

MILLISECOND_NS = 1_000_000


def test_a_duration_is_counted_in_the_first_bucket_that_it_does_not_exceed() -> None:
    histogram = Histogram()

    for duration_ns in (0, 50_000, 50_001, 60 * 10**9, 60 * 10**9 + 1):
        histogram.observe(duration_ns)

    buckets = histogram.plain()["buckets"]
    assert (buckets[0], buckets[1], buckets[-2], buckets[-1]) == (2, 1, 1, 1)
    assert len(buckets) == len(BOUNDS_S) + 1


def test_one_that_stands_for_several_counts_as_often() -> None:
    histogram = Histogram()

    histogram.observe(2 * MILLISECOND_NS, 5)

    assert histogram.plain() | {"buckets": None} == {"count": 5, "sum": 0.01, "buckets": None}


def test_what_is_told_does_not_change_later() -> None:
    histogram = Histogram()
    told = histogram.plain()

    histogram.observe(1)

    assert told["count"] == 0 and sum(told["buckets"]) == 0


def test_those_of_several_nodes_add_up() -> None:
    one, other, all_of_it = Histogram(), Histogram(), Histogram()
    for index in range(100):
        duration_ns = index * index * MILLISECOND_NS
        (one if index % 3 else other).observe(duration_ns)
        all_of_it.observe(duration_ns)

    together = merged([one.plain(), other.plain()])

    assert together["buckets"] == all_of_it.buckets
    assert together["count"] == 100
    assert together["sum"] == pytest.approx(all_of_it.plain()["sum"])


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile(merged([])["buckets"], 0.5) is None


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("seed", range(5))
def test_a_quantile_is_in_the_bucket_of_the_true_one(share: float, seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    durations = sorted(rng.lognormvariate(-6, 2) for _ in range(1000))
    histogram = Histogram()
    for duration in durations:
        histogram.observe(round(duration * 1e9))

    found = quantile(histogram.buckets, share)

    true = durations[int(share * 1000) - 1]
    low = max(bound for bound in (0.0, *BOUNDS_S) if bound < true)
    high = min((bound for bound in BOUNDS_S if bound >= true), default=BOUNDS_S[-1])
    assert found is not None and low <= found <= high


def test_what_took_longer_than_the_last_bound_is_said_to_have_taken_that() -> None:
    histogram = Histogram()
    histogram.observe(3600 * 10**9)

    assert quantile(histogram.buckets, 0.5) == BOUNDS_S[-1]
