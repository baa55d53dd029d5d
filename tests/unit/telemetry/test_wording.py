"""Names that may be many."""

from __future__ import annotations

from partisan_actors.telemetry.wording import some


def test_the_first_names_are_told_and_how_many_more_there_are() -> None:
    assert some(["a", "b"]) == "a, b" and some([]) == ""
    assert some(["a", "b", "c", "d"], 3) == "a, b, c and 1 more"
