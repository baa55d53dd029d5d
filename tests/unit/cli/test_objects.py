"""Tests of which objects are kept for nobody."""

from __future__ import annotations

from typing import Any

from partisan_actors.cli.objects import for_nobody


def owned(**more: Any) -> dict[str, Any]:
    row = {"node": "a", "id": "1", "role": "owner", "state": "ready", "handles": 0, "on_the_way_s": 0.0, "held_by": []}
    return {**row, **more}


def borrowed(node: str, handles: int = 1) -> dict[str, Any]:
    return {"node": node, "id": "1", "role": "borrower", "handles": handles}


def test_what_nobody_holds_is_kept_for_nobody() -> None:
    assert for_nobody([owned()], {"a"}) == {"1"}
    assert for_nobody([owned(held_by=["b"]), borrowed("b", handles=0)], {"a", "b"}) == {"1"}
    assert for_nobody([owned(held_by=["b"])], {"a", "b"}) == {"1"}, "b was to hold it, and does not know of it"


def test_what_somebody_holds_or_may_hold_is_not() -> None:
    for row in (owned(handles=1), owned(on_the_way_s=3.0), owned(state="pending")):
        assert for_nobody([row], {"a"}) == set()
    assert for_nobody([owned(held_by=["b"]), borrowed("b")], {"a", "b"}) == set()
    assert for_nobody([owned(held_by=["b", "c"]), borrowed("b", 0)], {"a", "b"}) == set(), "c has not answered"
