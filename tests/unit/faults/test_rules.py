"""Verdicts on messages, rule by rule and together."""

from __future__ import annotations

import random

import pytest

from partisan_actors.faults.operations import Cut, Delay, Duplicate, Hold, Loss, NetworkSpan, Reorder
from partisan_actors.faults.rules import PASSES, Fate, Rule, Verdict, cut_between, judge
from partisan_actors.faults.selectors import ANYBODY, Group

A = Group(frozenset({"a"}))
B = Group(frozenset({"b"}))


def verdict(*operations: NetworkSpan, way: str = "ab", kind: str = "x", seed: int = 1) -> Verdict:
    rules = [Rule(operation, A, B) for operation in operations]
    rng = random.Random(seed)
    return judge(rules, way[0], way[1], kind, lambda rule: rng)


def test_without_rules_everything_passes() -> None:
    assert verdict() == PASSES


@pytest.mark.parametrize("way", ["ba", "ac", "ca", "aa"])
def test_a_rule_is_about_its_senders_and_receivers_only(way: str) -> None:
    assert verdict(Loss(0, 1, 1.0), way=way) == PASSES


@pytest.mark.parametrize(
    ("operation", "there", "back"),
    [
        (Cut(0, 1, "all"), Fate.CUT_OFF, Fate.CUT_OFF),
        (Cut(0, 1, "all", one_way=True), Fate.CUT_OFF, Fate.ARRIVES),
        (Hold(0, 1, "all"), Fate.HELD, Fate.HELD),
        (Hold(0, 1, "all", one_way=True), Fate.HELD, Fate.ARRIVES),
    ],
)
def test_cuts_and_holds_go_both_ways_unless_told_otherwise(operation: NetworkSpan, there: Fate, back: Fate) -> None:
    assert verdict(operation).fate is there
    assert verdict(operation, way="ba").fate is back


def test_loss_takes_the_share_that_its_rate_says() -> None:
    rng = random.Random(1)
    rules = [Rule(Loss(0, 1, 0.3), ANYBODY, ANYBODY)]

    lost = sum(judge(rules, "a", "b", "x", lambda rule: rng).fate is Fate.LOST for _ in range(10_000))

    assert 2_800 < lost < 3_200


def test_duplicates_and_delays_add_up() -> None:
    found = verdict(Duplicate(0, 1, 1.0), Duplicate(0, 1, 1.0), Delay(0, 1, 2.0), Delay(0, 1, 1.0, 0.5))

    assert found.fate is Fate.ARRIVES and len(found.copiers) == 2 and 3.0 <= found.delay_s <= 3.5


def test_reordering_makes_some_messages_late_within_its_window() -> None:
    late = [verdict(Reorder(0, 1, 0.5, 2.0), seed=seed).delay_s for seed in range(200)]

    assert 60 < sum(delay_s > 0 for delay_s in late) < 140
    assert max(late) <= 2.0


def test_only_the_kinds_that_are_named_suffer() -> None:
    operation = Loss(0, 1, 1.0, kinds=("graft",))

    assert verdict(operation, kind="graft").fate is Fate.LOST
    assert verdict(operation, kind="prune") == PASSES


def test_the_worst_fate_wins() -> None:
    everything = (Delay(0, 1, 1.0), Loss(0, 1, 1.0), Hold(0, 1, "all"), Cut(0, 1, "all"))

    fates = [verdict(*everything[:count]).fate for count in range(1, 5)]

    assert fates == [Fate.ARRIVES, Fate.LOST, Fate.LOST, Fate.CUT_OFF]


def test_the_verdict_follows_from_the_stream() -> None:
    operations = (Loss(0, 1, 0.5), Duplicate(0, 1, 0.5), Reorder(0, 1, 0.5, 1.0))

    assert [verdict(*operations, seed=seed) for seed in range(50)] == [
        verdict(*operations, seed=seed) for seed in range(50)
    ]


def test_a_cut_between_two_is_seen_in_the_direction_it_has() -> None:
    rules = [Rule(Loss(0, 1, 1.0), A, B), Rule(Cut(0, 1, "all", one_way=True), A, B)]

    assert cut_between(rules, "a", "b") and not cut_between(rules, "b", "a")
