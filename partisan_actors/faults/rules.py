"""What becomes of one message under the faults in force: a verdict, as a function of its arguments and nothing else.

Whoever carries messages keeps the rules in force, asks `judge` about each message, and does as it says. The verdict is
the worst of all rules', and delays add up. Each rule draws from a random stream that its owner gives it: with one for
each, the draws of a rule do not depend on which others there are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from partisan_actors.faults.operations import Cut, Delay, Duplicate, Hold, Loss, NetworkSpan, Reorder
from partisan_actors.faults.selectors import Group

__all__ = ["PASSES", "Fate", "Rule", "Verdict", "cut_between", "judge"]


class Fate(IntEnum):
    """What happens to a message, from good to bad."""

    ARRIVES = 0
    HELD = 1  # until the rule that holds it ends
    LOST = 2  # and nobody is told
    CUT_OFF = 3  # and its sender is told, as of a peer that is down


@dataclass(frozen=True, slots=True)
class Rule:
    """An operation in force, with its selectors resolved: `first` are its senders or its side, `second` the others."""

    operation: NetworkSpan
    first: Group
    second: Group

    def concerns(self, sender: str, receiver: str) -> bool:
        """Whether it is about what `sender` sends to `receiver`."""
        if sender in self.first and receiver in self.second:
            return True
        operation = self.operation
        goes_both_ways = isinstance(operation, Cut | Hold) and not operation.one_way
        return goes_both_ways and receiver in self.first and sender in self.second

    def holds(self, sender: str, receiver: str) -> bool:
        """Whether it makes what `sender` sends to `receiver` wait for its end."""
        return isinstance(self.operation, Hold) and self.concerns(sender, receiver)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`delay_s` and `copiers` are about a message that arrives: how much later, and which rules make it arrive again.

    A copy is made unless its rule made one on this connection less than its `pause_s` ago, which the asker remembers.
    """

    fate: Fate
    delay_s: float = 0.0
    copiers: tuple[Rule, ...] = ()


PASSES: Final = Verdict(Fate.ARRIVES)


def cut_between(rules: Iterable[Rule], sender: str, receiver: str) -> bool:
    """Whether a cut keeps what `sender` sends from `receiver`."""
    return any(isinstance(rule.operation, Cut) and rule.concerns(sender, receiver) for rule in rules)


def judge(
    rules: Iterable[Rule], sender: str, receiver: str, kind: str, stream_of: Callable[[Rule], random.Random]
) -> Verdict:
    """The verdict on a message of tag `kind`. A node's messages to itself pass."""
    if sender == receiver:
        return PASSES
    fate, delay_s = Fate.ARRIVES, 0.0
    copiers: list[Rule] = []
    for rule in rules:
        if not rule.concerns(sender, receiver):
            continue
        match rule.operation:
            case Cut():
                fate = Fate.CUT_OFF
            case Hold():
                fate = max(fate, Fate.HELD)
            case operation if operation.kinds and kind not in operation.kinds:
                pass
            case Loss(rate=rate):
                fate = max(fate, Fate.LOST if stream_of(rule).random() < rate else Fate.ARRIVES)
            case Delay(delay_s=least_s, jitter_s=jitter_s):
                delay_s += least_s + jitter_s * stream_of(rule).random()
            case Duplicate(rate=rate):
                if stream_of(rule).random() < rate:
                    copiers.append(rule)
            case Reorder(rate=rate, window_s=window_s):
                rng = stream_of(rule)
                late, share = rng.random() < rate, rng.random()
                delay_s += window_s * share if late else 0.0
    return Verdict(fate, delay_s, tuple(copiers)) if fate or delay_s or copiers else PASSES
