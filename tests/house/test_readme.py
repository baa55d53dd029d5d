"""The figures of the README are those of the pages they were taken from, rounded."""

from __future__ import annotations

import re
from typing import Final

from tests.house.source import ROOT

README: Final = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
BENCHMARKS: Final = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
FRAMEWORKS: Final = (ROOT / "docs" / "frameworks.md").read_text(encoding="utf-8")


def row(page: str, *cells: str) -> list[str]:
    """What follows these cells in the row of a page's table that begins with them."""
    found = re.search(rf"^\| {re.escape(' | '.join(cells))} \| (.*) \|$", page, re.MULTILINE)
    assert found is not None, cells
    return found[1].split(" | ")


def number(text: str) -> float:
    return float(re.sub(r"[^0-9.]", "", text))


def of_cost(label: str) -> list[str]:
    """The cells of a row of the README's table of costs."""
    found = re.search(rf"\| {re.escape(label)} \|([^|]*)\|([^|]*)\|", README)
    assert found is not None, label
    return [found[1].strip(), found[2].strip()]


def test_the_costs_are_those_of_the_benchmarks() -> None:
    await_one = row(BENCHMARKS, "await an async method, own loop", "same core")
    blocking = row(BENCHMARKS, "blocking get, plain thread", "same core")
    in_flight = row(BENCHMARKS, "1,000 calls in flight, own loop", "two cores")
    bytes_of = row(BENCHMARKS, "1 MiB of bytes as argument", "two cores")
    # Rows without a floor have neither modes nor times.
    (actor,), (process,) = (
        [cell for cell in row(BENCHMARKS, label) if "iB" in cell and "<" not in cell]
        for label in ("memory of an idle actor", "memory of an isolated actor")
    )

    costs = "`await` a method of an actor in another process, both processes on one core"
    assert of_cost(costs) == [f"{number(cell):.0f} us" for cell in await_one[:2]]
    assert of_cost("the same from a blocking program") == [f"{number(cell):.0f} us" for cell in blocking[:2]]
    floor, ours = (number(cell.replace("/s", "")) / 1e6 for cell in in_flight[:2])
    assert of_cost("1,000 calls in flight") == [f"{floor:.1f} million calls/s", f"{ours:.2f} million calls/s"]
    sizes = [f"{number(cell.replace('/s', '')) / 1024:.1f} GiB/s" for cell in bytes_of[:2]]
    assert of_cost("1 MiB of bytes as an argument") == sizes
    together = of_cost("memory of an idle actor; of one in a process of its own")[1]
    assert together == f"{number(actor):.1f} KiB; {number(process):.0f} MiB"


def test_what_is_said_of_other_frameworks_is_on_their_page() -> None:
    def beside(work: str, other: str) -> float:
        return number(row(FRAMEWORKS, work, other)[0])

    calls, in_flight = "actor calls, one at a time", "actor calls, 1,000 in flight"
    ray = f"one call at a time was {beside(calls, 'ray'):.0f} times as fast and a thousand in flight"
    tasks = [f"{beside(work, 'ray'):.0f}" for work in ("tasks, one at a time", "tasks, 1,000 in flight")]
    erlang = f"{beside(calls, 'erlang'):.1f} and {beside(in_flight, 'erlang'):.0f} times as fast"

    assert f"{ray} {beside(in_flight, 'ray'):.0f} times, tasks {tasks[0]} and {tasks[1]} times" in README
    assert f"distributed Erlang, calls were {erlang}" in README
