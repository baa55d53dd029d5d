"""Judging: means, published values, bands and their verdicts."""

from __future__ import annotations

import json
import math

import pytest

from partisan_actors.simulation.papers.bands import band_for
from partisan_actors.simulation.papers.catalogue import EXPERIMENTS
from partisan_actors.simulation.papers.judging import Quantity, Verdict, judge
from partisan_actors.simulation.papers.published import PUBLISHED


def test_a_row_has_the_mean_the_published_value_and_a_verdict() -> None:
    quantity = Quantity("reach 80% message 1", "second message")

    held = judge("p", "t", 10_000, [1, 2], [quantity], [{"reach 80% message 1": 60.0}, {"reach 80% message 1": 90.0}])
    broken = judge("p", "t", 10_000, [1], [quantity], [{"reach 80% message 1": 60.0}])

    row = held.row("reach 80% message 1")
    assert (row.mean, row.verdict) == (75.0, Verdict.PASS)
    assert row.published is not None and row.published.value == 81.46
    assert not held.failed and [row.verdict for row in broken.failed] == [Verdict.FAIL]


def test_a_band_for_every_seed_is_broken_by_one_of_them() -> None:
    quantity = Quantity("one-sided links", "one-sided links", oracle=0)
    seen = [{"one-sided links": 0}, {"one-sided links": 1}, {"one-sided links": -1}]

    result = judge("p", "t", 1000, [1, 2, 3], [quantity], seen)

    assert result.rows[0].mean == 0.0
    assert result.failed == [result.rows[0]]


def test_what_was_not_measured_fails_its_band_and_has_no_verdict_without_one() -> None:
    quantities = [Quantity("pieces", "pieces", oracle=1), Quantity("something else", "something else")]

    result = judge("p", "t", 1000, [1], quantities, [{}])

    assert [row.verdict for row in result.rows] == [Verdict.FAIL, Verdict.NONE]
    assert math.isnan(result.rows[0].mean)


def test_a_result_is_plain_json_even_where_a_number_is_none() -> None:
    quantities = [Quantity("last hop gain", "gain"), Quantity("x", "x", oracle=math.nan)]

    result = judge("p", "t", 10_000, [1], quantities, [{"last hop gain": 2.0}], notes=["note"])
    read = json.loads(json.dumps(result.to_json(), allow_nan=False))

    assert read["rows"][0]["band"] == {
        "low": 1.5,
        "high": None,
        "of": "mean",
        "reason": read["rows"][0]["band"]["reason"],
    }
    assert read["rows"][1]["mean"] is None and read["rows"][1]["oracle"] is None
    assert read["passed"] and read["notes"] == ["note"]


def test_bands_are_narrow_at_full_size_wider_below_and_absent_for_a_handful() -> None:
    full, quick = band_for("giant 50%", 10_000, 95.0), band_for("giant 50%", 1000, 95.0)

    assert full is not None and (full.low, full.high) == (93.5, 96.5)
    assert quick is not None and quick.low < full.low and quick.high > full.high
    assert band_for("giant 50%", 200, 95.0) is None
    assert band_for("no such thing", 10_000, None) is None


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("nodes", [1000, 10_000])
def test_every_experiment_describes_each_quantity_once_and_its_bands_have_oracles_and_reasons(
    name: str, nodes: int
) -> None:
    quantities = EXPERIMENTS[name].quantities(nodes)
    bands = [band_for(quantity.key, nodes, quantity.oracle) for quantity in quantities]

    assert len({quantity.key for quantity in quantities}) == len(quantities)
    assert len({quantity.label for quantity in quantities}) == len(quantities)
    assert any(band is not None for band in bands)
    assert all(band is None or (band.reason and band.low <= band.high) for band in bands)


def test_every_published_value_belongs_to_a_quantity_that_is_measured() -> None:
    measured = {quantity.key for experiment in EXPERIMENTS.values() for quantity in experiment.quantities(10_000)}

    assert set(PUBLISHED) - measured == set()
    assert all(published.source for published in PUBLISHED.values())
