"""SCAMP's experiment: one-sided views, from contacts drawn evenly."""

from __future__ import annotations

from collections import Counter

import pytest

from partisan_actors.simulation.papers import oracles
from partisan_actors.simulation.papers.graphs import mean_degree
from partisan_actors.simulation.papers.scamp_views import grown, partial_views


def test_views_without_extra_copies_have_the_size_that_theory_gives() -> None:
    means = [mean_degree(partial_views(grown(seed, 150, c=0))) for seed in range(1, 17)]

    assert sum(means) / len(means) == pytest.approx(oracles.scamp_bare_view(150), rel=0.1)


@pytest.mark.parametrize("copies", [0, 2])
def test_every_node_is_in_some_view_and_none_in_its_own_or_twice_in_one(copies: int) -> None:
    views = partial_views(grown(3, 120, copies))

    assert set(Counter(peer for view in views.values() for peer in view)) == set(range(120))
    assert all(node not in view and len(view) == len(set(view)) for node, view in views.items())


def test_each_extra_copy_makes_views_larger() -> None:
    sizes = [mean_degree(partial_views(grown(4, 200, c))) for c in (0, 1, 3)]

    assert sizes == sorted(sizes)
    assert sizes[2] > 2 * sizes[0]
