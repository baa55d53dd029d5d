"""Lines of a figure: our points with their range, the published ones, those of theory."""

from __future__ import annotations

from partisan_actors.simulation.papers.judging import Quantity, judge
from partisan_actors.simulation.papers.lines import Point, lines_of


def test_a_line_has_our_points_the_published_ones_and_those_of_theory() -> None:
    quantities = [
        Quantity("cyclon mean reach 10%", "a", line="Cyclon", x=10, oracle=97.5),
        Quantity("cyclon mean reach 20%", "b", line="Cyclon", x=20, oracle=95.8),
        Quantity("pieces", "no part of any line", oracle=1),
    ]
    seen = [{"cyclon mean reach 10%": 97.0, "pieces": 1}, {"cyclon mean reach 10%": 98.0, "pieces": 1}]

    (line,) = lines_of(judge("p", "t", 1000, [1, 2], quantities, seen))

    assert line.name == "Cyclon"
    assert line.ours == [Point(10, 97.5, 97.0, 98.0)]
    assert line.published == [(10, 97.36), (20, 96.55)]
    assert line.oracle == [(10, 97.5), (20, 95.8)]
