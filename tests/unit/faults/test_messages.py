"""What rules answer: checked faults, and partitions between named sides."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.faults.messages import DROP, Fault, Passing, between, delay, reorder


def passing(sender: str, receiver: str) -> Passing:
    return Passing("in", "call", sender, receiver, sender, receiver, "calls", "", "f", 1, False)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (("lose",), "kind"),
        (("delay", -1.0), "after_s"),
        (("delay", True), "after_s"),
        (("delay", float("nan")), "after_s"),
        (("duplicate", 0.0, 101), "copies"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(fields: tuple[Any, ...], wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Fault(*fields)
    assert caught.value.field == wrong


def test_a_partition_drops_what_crosses_it_in_both_directions_or_one() -> None:
    both, one = between(["a"], ["b", "c"]), between(["a"], ["b", "c"], one_way=True)

    assert both(passing("a", "b")) is both(passing("c", "a")) is one(passing("a", "c")) is DROP
    assert one(passing("b", "a")) is None
    assert both(passing("b", "c")) is both(passing("a", "a")) is both(passing("a", "d")) is None


def test_a_side_is_a_list_of_names() -> None:
    with pytest.raises(ConfigError, match="side"):
        between("a", ["b"])


def test_delays_are_faults() -> None:
    assert (delay(0.5).kind, reorder(0.25).after_s) == ("delay", 0.25)
