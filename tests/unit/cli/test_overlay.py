"""Tests of neighbours, whatever the strategy calls its views."""

from __future__ import annotations

from partisan_actors.cli.overlay import neighbours


def test_hyparview_has_both_views() -> None:
    assert neighbours({"active": ["c", "b"], "passive": ["d"]}) == (["b", "c"], ["d"])


def test_in_a_full_mesh_everybody_but_the_failed_is_active() -> None:
    assert neighbours({"members": ["c", "b"], "failed": ["c"]}) == (["b"], [])
