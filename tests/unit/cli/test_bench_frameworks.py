"""The comparison with other frameworks: its arithmetic, its page, who takes part, and how entrants are measured."""

from __future__ import annotations

import json
from io import StringIO

import pytest

from partisan_actors.cli.bench.environment import Machine
from partisan_actors.cli.bench.frameworks import entrants, stage, tournament
from partisan_actors.cli.bench.frameworks.entrant import Entrant
from partisan_actors.cli.bench.frameworks.report import aims, page, table
from partisan_actors.cli.bench.frameworks.tournament import Score
from partisan_actors.cli.bench.frameworks.work import COLD_START, WORK, piece

MACHINE = Machine("2026-01-01", "a processor", 2, 8.0, "Linux x86_64", "CPython 3.11", {}, 0.1)


def scores() -> list[Score]:
    return [
        Score("partisan_actors", "ours 1", figures={"call": [10_000.0, 30_000.0, 20_000.0], "cold_start": [0.5]}),
        Score("partisan_actors, await", "ours 1", figures={"call": [40_000.0]}),
        Score("ray", "Ray 9", figures={"call": [1_000.0], "cold_start": [4.0]}, errors={"tasks": "OSError: no"}),
        Score("dask", absence="distributed is not installed; install it"),
    ]


def test_a_figure_is_the_median_of_its_rounds() -> None:
    assert scores()[0].median("call") == 20_000
    assert scores()[3].median("call") is None


def test_the_better_of_our_two_ways_is_compared_and_less_is_better_for_seconds() -> None:
    found = {(each.name, name): (times, aim) for each, name, times, aim in aims(scores())}
    assert found == {("call", "ray"): (40.0, 20), ("cold_start", "ray"): (8.0, 10)}


def test_the_page_says_what_was_reached_and_who_did_not_take_part() -> None:
    text = page(scores(), MACHINE, rounds=3, seconds=1.5)
    assert "| actor calls, one at a time | ray | 40x | 20x | reached |" in text
    assert "| from starting Python to the first answer | ray | 8x | 10x | missed |" in text
    assert f"*From starting Python to the first answer*: {piece(COLD_START).cost}" in text.replace("\n", " ")
    assert "*Memory" not in text
    assert "dask did not take part: distributed is not installed; install it." in text
    assert "ray, tasks: OSError: no." in text
    assert all(len(line) <= 120 or line.startswith("|") for line in text.splitlines())


def test_an_aim_beyond_the_floor_is_said_to_be_that() -> None:
    held = [*scores(), Score("floor", "bare", figures={"cold_start": [0.5]})]
    assert "missed: the floor itself is 8x" in page(held, MACHINE, rounds=1, seconds=1)


def test_rows_that_nobody_did_are_not_in_the_table() -> None:
    shown = table(scores())
    assert "actor calls, one at a time" in shown
    assert "tasks, one at a time" not in shown


@pytest.mark.parametrize("name", ["ray", "xoscar", "dask"])
def test_who_is_not_installed_is_left_out_with_the_remedy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrants, "find_spec", lambda package: None)
    (score,) = tournament.hold([name], ["call"], 1, 0.1, lambda text: pytest.fail("nothing was to be started"))
    assert score.absence is not None
    assert "pip install 'partisan-actors[bench]'" in score.absence


class Sleepless(Entrant):
    """Counts what it is asked to do."""

    name = "sleepless"

    def __init__(self) -> None:
        self.done: list[object] = []

    def call(self) -> None:
        self.done.append("call")

    def fresh_large_argument(self) -> object:
        self.done.append("made")
        return object()

    def large_argument(self, argument: object) -> None:
        self.done.append(argument)

    def tasks(self) -> None:
        raise ValueError("not today")


def test_an_entrant_offers_the_work_it_has_methods_for_in_the_tables_order() -> None:
    assert [each.name for each in Sleepless().offers()] == ["call", "tasks", "large_argument"]


def test_a_piece_that_needs_something_fresh_gets_another_each_time() -> None:
    entrant = Sleepless()
    assert entrant.measure(piece("large_argument"), 0.0) > 0
    arguments = [each for each in entrant.done if each != "made"]
    assert len(arguments) == len(set(arguments)) >= 3


def test_a_framework_that_raises_costs_its_row_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    entrant = Sleepless()
    answers = [stage._answered(entrant, {"do": name, "seconds": 0.0}) for name in ("tasks", "call")]
    assert answers[0] == {"error": "ValueError: not today"}
    assert answers[1]["figure"] > 0


def test_a_stage_answers_until_its_input_ends_and_stops_the_entrant(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    class Staged(Sleepless):
        def version(self) -> str:
            return "1"

        def start(self) -> None:
            pass

        def stop(self) -> None:
            ended.append(True)

    monkeypatch.setattr(entrants.Listed, "load", lambda self: Staged())
    answers = StringIO()
    stage.perform("floor", StringIO('{"do": "describe"}\n'), answers)
    assert [json.loads(line) for line in answers.getvalue().splitlines()] == [
        {"up": True},
        {"version": "1", "offers": ["call", "tasks", "large_argument"]},
    ]
    assert ended == [True]


def test_the_works_names_are_not_used_twice() -> None:
    assert len({each.name for each in WORK}) == len(WORK)
