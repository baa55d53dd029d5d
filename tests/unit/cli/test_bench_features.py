"""Tests of the benchmark of features: each is measured under its own conditions, and compared with plain calls."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from partisan_actors.cli.bench.command import bench
from partisan_actors.cli.bench.environment import describe_machine
from partisan_actors.cli.bench.features.load import FEATURES, PLAIN, Cost, FeaturePlan, measure_features
from partisan_actors.cli.bench.features.report import page, table
from partisan_actors.cli.bench.samples import Summary


def cost(feature: str, single_us: float, in_flight_us: float) -> Cost:
    def summary(microseconds: float) -> Summary:
        return Summary(microseconds / 1e6, microseconds / 1e6, 0.1, 10)

    return Cost(feature, summary(single_us), summary(in_flight_us), 2 * in_flight_us / 1e6)


def test_the_table_compares_each_with_plain_calls() -> None:
    lines = table([cost(PLAIN, 50, 2), cost("acknowledged", 75, 5)]).splitlines()

    assert lines[1].split() == ["plain", "50.0", "1.00", "2.00", "1.00", "4.00", "1.00", "10%"]
    assert lines[2].split() == ["acknowledged", "75.0", "1.50", "5.00", "2.50", "10.00", "2.50", "10%"]


def test_the_page_says_of_each_what_it_is() -> None:
    text = page([cost(name, 50, 2) for name in FEATURES], describe_machine())

    assert all(f"- **{name}**: {feature.how}" in text for name, feature in FEATURES.items())
    assert text.endswith("\n") and max(map(len, text.splitlines())) < 300


def test_every_feature_is_measured_in_one_run(tmp_path: Path) -> None:
    costs = measure_features(FeaturePlan.quick())

    assert [each.feature for each in costs] == list(FEATURES)
    assert all(each.single.count and each.in_flight.count and each.cpu_s > 0 for each in costs)


def test_some_are_measured_beside_plain_calls_and_written_down(tmp_path: Path) -> None:
    said = CliRunner().invoke(
        bench,
        ["features", "--quick", "--feature", "a rule", "--json", str(tmp_path / "x.json")],
        catch_exceptions=False,
    )

    assert said.exit_code == 0, said.output
    found = json.loads((tmp_path / "x.json").read_text())
    assert [each["feature"] for each in found["costs"]] == [PLAIN, "a rule"]


def test_a_feature_that_there_is_not_is_refused() -> None:
    said = CliRunner().invoke(bench, ["features", "--feature", "magic"])

    assert said.exit_code == 2 and "'magic' is not one of" in said.output
