"""The comparison with other frameworks, with the two entrants that are always there."""

from __future__ import annotations

import pytest

from partisan_actors.cli.bench.frameworks import tournament


@pytest.mark.slow
def test_the_floor_and_ours_perform_in_processes_of_their_own() -> None:
    held = tournament.hold(
        ["floor", "partisan_actors"], ["call", "calls", "cold_start", "memory"], 1, 0.05, lambda text: None
    )
    for score in held:
        assert score.errors == {}
        assert set(score.figures) == {"call", "calls", "cold_start", "memory"}
        assert all(figure > 0 for figures in score.figures.values() for figure in figures)
