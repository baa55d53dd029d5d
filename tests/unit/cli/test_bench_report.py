"""The benchmark's statistics, verdicts and tables."""

from __future__ import annotations

import json
import random

import pytest

from partisan_actors.cli.bench.environment import Machine
from partisan_actors.cli.bench.report import (
    HEADINGS,
    Verdict,
    in_table_order,
    lines,
    markdown_page,
    measured,
    number_text,
    overall_ratio,
    plain_table,
    to_json,
    verdict,
)
from partisan_actors.cli.bench.rows import ROWS, Quantity, row_named
from partisan_actors.cli.bench.samples import Comparison, Measurement, Summary, geometric_mean, percentile

MACHINE = Machine(
    date="2024-02-29",
    processor="A Processor",
    cores=2,
    memory_gib=8.0,
    system="Linux x86_64",
    python="CPython 3.11.7",
    versions={"uvloop": "0.21.0"},
    load_before=0.25,
)


def seconds(value: float) -> Summary:
    return Summary(median=value, p99=2 * value, spread=0.1, count=100)


def compared(row: str, *modes: tuple[str, float, float]) -> Measurement:
    return Measurement(row, tuple(Comparison(mode, seconds(floor), seconds(ours)) for mode, floor, ours in modes))


def figure(row: str, value: float) -> Measurement:
    return Measurement(row, figure=seconds(value))


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_the_smallest_sample_that_this_share_does_not_exceed(share: float, expected: int) -> None:
    samples = list(range(1, 101))
    random.Random(7).shuffle(samples)

    assert percentile(samples, share) == expected


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        percentile([], 0.5)


def test_a_summary_is_not_moved_by_one_disturbed_turn() -> None:
    quiet = [[1.0, 1.0, 1.0]] * 4

    summary = Summary.of([*quiet, [50.0] * 1000])

    assert summary.median == 1.0
    assert summary.p99 == 50.0
    assert summary.spread == 49.0  # of five turns, the middle four fifths still hold the worst
    assert summary.count == 1012


def test_the_spread_leaves_out_the_worst_tenth_of_the_turns() -> None:
    turns = [[1.0], *[[2.0]] * 9, [3.0]]

    assert Summary.of([*turns, [50.0]]).spread == 0.5
    assert Summary.of([[2.0]] * 20).spread == 0.0


def test_a_summary_leaves_empty_turns_out_and_refuses_to_be_of_nothing() -> None:
    assert Summary.of([[], [2.0]]).median == 2.0
    with pytest.raises(ValueError, match="at least one sample"):
        Summary.of([[], []])


def test_twice_as_slow_here_and_twice_as_fast_there_is_a_mean_of_one() -> None:
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1.0)


def test_a_latency_row_is_judged_by_its_worse_mode() -> None:
    row = row_named("await-own-loop")
    found = compared(row.key, ("same core", 10e-6, 16e-6), ("two cores", 100e-6, 100e-6))

    assert measured(row, found) == pytest.approx(1.6)
    assert overall_ratio(row, found) == pytest.approx(1.6**0.5)
    assert verdict(row, found) is Verdict.MISS


def test_the_limit_itself_keeps_the_bound() -> None:
    row = row_named("await-own-loop")

    assert verdict(row, compared(row.key, ("same core", 2.0, 3.0))) is Verdict.PASS


def test_a_rate_row_passes_when_ours_is_fast_enough() -> None:
    row = row_named("in-flight")
    twice_the_time, thrice_the_time = (compared(row.key, ("two cores", 1e-3, time)) for time in (2e-3, 3e-3))

    assert measured(row, twice_the_time) == pytest.approx(0.5)
    assert verdict(row, twice_the_time) is Verdict.PASS
    assert verdict(row, thrice_the_time) is Verdict.MISS


@pytest.mark.parametrize(
    ("key", "kept", "missed"),
    [
        ("create-actors", 3_000, 2_999),
        ("idle-actor", 4.0, 4.1),
        ("worker-memory", 45.0, 45.1),
        ("worker-imports", 0, 1),
        ("cold-start", 0.8, 0.81),
    ],
)
def test_an_absolute_row_is_judged_by_its_figure(key: str, kept: float, missed: float) -> None:
    row = row_named(key)

    assert verdict(row, figure(key, kept)) is Verdict.PASS
    assert verdict(row, figure(key, missed)) is Verdict.MISS


def test_a_row_that_could_not_be_measured_fails_and_its_reason_is_told() -> None:
    row = row_named("cold-start")
    results = [(row, Measurement(row.key, failure="it hung"))]

    assert measured(row, results[0][1]) is None
    assert verdict(row, results[0][1]) is Verdict.FAILED
    assert "cold-start: it hung" in plain_table(results)


def test_every_line_of_the_table_has_a_cell_for_each_heading_and_every_row_one_verdict() -> None:
    results = [
        (row, figure(row.key, 1.0))
        if row.quantity is Quantity.ABSOLUTE
        else (row, compared(row.key, ("same core", 1e-5, 1e-5), ("two cores", 1e-4, 1e-4)))
        for row in ROWS
    ]

    table = lines(results)

    assert {len(line.cells) for line in table} == {len(HEADINGS)}
    assert [line.verdict for line in table if line.verdict] == [verdict(row, found) for row, found in results]


def test_the_plain_table_shows_both_modes_their_ratios_and_their_mean() -> None:
    row = row_named("await-own-loop")

    text = plain_table([(row, compared(row.key, ("same core", 10e-6, 12e-6), ("two cores", 100e-6, 120e-6)))])

    same, two, mean = text.splitlines()[2:]
    assert same.split("  ")[0] == row.title
    assert "same core" in same
    assert "10.0 us" in same
    assert "12.0 us" in same
    assert "1.20x" in same
    assert same.endswith("pass")
    assert "100.0 us" in two
    assert "geometric mean" in mean
    assert "1.20x" in mean


def test_rates_are_printed_in_units_per_second() -> None:
    row = row_named("in-flight")

    text = plain_table([(row, compared(row.key, ("two cores", 1e-3, 2e-3)))])

    assert "1,000,000 calls/s" in text
    assert "500,000 calls/s" in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.0973, "0.10"), (3.987, "3.99"), (20.07, "20.1"), (59_740.2, "59,740")]
)
def test_a_number_has_the_digits_its_size_deserves(value: float, text: str) -> None:
    assert number_text(value) == text


def test_a_measurement_survives_the_way_through_json() -> None:
    for found in (
        compared("in-flight", ("two cores", 1e-3, 2e-3)),
        figure("cold-start", 0.5),
        Measurement("idle-actor", failure="it hung"),
    ):
        assert Measurement.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_the_json_report_holds_what_was_measured_the_bound_and_the_verdict() -> None:
    row = row_named("in-flight")
    results = [(row, compared(row.key, ("two cores", 1e-3, 2e-3)))]

    report = json.loads(json.dumps(to_json(MACHINE, results, quick=True)))

    (entry,) = report["rows"]
    assert report["quick"] is True
    assert report["machine"]["processor"] == "A Processor"
    assert entry["row"] == "in-flight"
    assert entry["measured"] == pytest.approx(0.5)
    assert entry["bound"] == {"sense": "at least", "limit": 0.4, "aim": 0.6}
    assert entry["verdict"] == "pass"


def test_results_are_told_in_the_order_of_the_table_whatever_order_they_came_in() -> None:
    found = [figure("cold-start", 0.5), compared("in-flight", ("two cores", 1.0, 1.0))]

    assert [row.key for row, _ in in_table_order(found)] == ["in-flight", "cold-start"]


def test_the_documentation_page_tells_how_each_row_was_measured_and_on_which_machine() -> None:
    results = [(row, figure(row.key, 0.5)) for row in ROWS if row.quantity is Quantity.ABSOLUTE]

    page = markdown_page(MACHINE, results, quick=False)

    for row, _ in results:
        assert f"| {row.title} |" in page
        assert row.how in page
    assert "A Processor, 2 cores, 8 GiB of memory" in page
    assert "CPython 3.11.7, uvloop 0.21.0" in page
    assert "load average before the run: 0.25" in page
    assert "figures are rough" not in page
    assert "figures are rough" in markdown_page(MACHINE, results, quick=True)


def test_asking_for_an_unknown_row_names_the_rows_there_are() -> None:
    with pytest.raises(KeyError, match="await-own-loop"):
        row_named("no-such-row")


def test_the_spread_shown_is_that_of_the_noisier_side() -> None:
    row = row_named("in-flight")
    noisy_floor = Comparison("two cores", Summary(1e-3, 2e-3, 0.45, 10), Summary(1e-3, 2e-3, 0.05, 10))

    assert "45 %" in plain_table([(row, Measurement(row.key, (noisy_floor,)))])
