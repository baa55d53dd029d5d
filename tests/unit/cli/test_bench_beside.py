"""Tests of the benchmark of small calls beside large ones: that it measures both, and what it makes of the figures."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from partisan_actors.cli.bench.beside.load import BesideResult, LoadPlan, measure_beside
from partisan_actors.cli.bench.beside.peers import TROUBLES, PeerResult, measure_peers
from partisan_actors.cli.bench.beside.report import keeps_bounds, peers_table, table
from partisan_actors.cli.bench.command import bench
from partisan_actors.cli.bench.samples import Summary


def result(idle_us: float, loaded_us: float, p99_us: float, configuration: str = "default") -> BesideResult:
    idle = Summary(idle_us / 1e6, 2 * idle_us / 1e6, 0.0, 100)
    return BesideResult(configuration, idle, Summary(loaded_us / 1e6, p99_us / 1e6, 0.0, 100), 2.0**31)


def test_both_bounds_have_to_be_kept() -> None:
    assert keeps_bounds(result(50, 149, 4_999))
    assert not keeps_bounds(result(50, 151, 4_999))
    assert not keeps_bounds(result(50, 149, 5_001))


def test_the_table_shows_ours_first_and_judges_only_the_default() -> None:
    lines = table([result(50, 100, 2_000), result(50, 90_000, 120_000, "not interleaved")]).splitlines()

    assert lines[1].split()[:7] == ["default", "50", "100", "100", "2000", "2.0x", "2048"]
    assert lines[1].endswith("pass") and lines[2].rstrip().endswith("-")
    assert "1800.0x" in lines[2]
    assert sum("Erlang" in line for line in lines) == 4


def test_a_load_is_really_there_while_it_is_measured() -> None:
    measured = measure_beside("default", LoadPlan(1 << 20, outstanding=4, turns=1, turn_s=0.5))

    assert measured.bytes_per_s > 0
    assert measured.loaded.count > 0 and measured.idle.count > 0


def test_impossible_loads_are_refused() -> None:
    said = CliRunner().invoke(bench, ["large-small", "--outstanding", "0"])

    assert said.exit_code == 2 and "0 is not in the range" in said.output


@pytest.mark.slow
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_is_really_there_while_calls_are_measured(trouble: str) -> None:
    measured = measure_peers(trouble, LoadPlan(turns=1, turn_s=0.3))

    assert measured.count > 0
    assert measured.alone.count > 0 and measured.beside.count > 0


def test_the_table_of_troubles_compares_the_99th_percentile() -> None:
    calm, troubled = Summary(50e-6, 100e-6, 0.0, 10), Summary(60e-6, 250e-6, 0.0, 10)

    lines = peers_table([PeerResult("a trouble", calm, troubled, 7)]).splitlines()

    assert lines[-1].split() == ["a", "trouble", "50", "100", "60", "250", "2.5x", "7"]
