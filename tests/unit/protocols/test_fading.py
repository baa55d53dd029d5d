"""Tests of what is remembered of the worst that was seen."""

from __future__ import annotations

import pytest

from partisan_actors.protocols.fading import Fading


def test_nothing_was_bad_before_anything_was_seen() -> None:
    assert Fading(10.0).worst(99.0) == 0.0


def test_the_worst_counts_and_loses_half_of_its_weight_with_time() -> None:
    seen = Fading(10.0)

    seen.saw(8.0, 100.0)
    seen.saw(1.0, 110.0)

    assert seen.worst(110.0) == pytest.approx(4.0)
    assert seen.worst(130.0) == pytest.approx(1.0)


def test_something_worse_takes_the_place_of_what_has_faded() -> None:
    seen = Fading(10.0)
    seen.saw(8.0, 100.0)

    seen.saw(5.0, 110.0)

    assert seen.worst(110.0) == 5.0
