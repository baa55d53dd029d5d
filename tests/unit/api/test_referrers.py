"""Tests of who refers to an object, where that is a user's own class which cannot be looked at."""

from __future__ import annotations

from partisan_actors.api.referrers import referrers_of


class Unseemly:
    def __repr__(self) -> str:
        raise ValueError("not to be shown")


class Target:
    pass


def test_a_key_that_cannot_be_shown_does_not_hide_the_other_referrers() -> None:
    target = Target()
    bad, good = {Unseemly(): target}, [target, 1, 2]

    found = referrers_of(target)

    assert "a dict" in found and f"an item of a list of {len(good)}" in found
    assert len(bad) == 1
