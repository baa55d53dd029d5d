"""A profile as hottest functions, folded stacks, speedscope's file and a picture: all of them tell the same time."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from partisan_actors.cli.flame_svg import flame_svg
from partisan_actors.cli.profile_formats import CLOCKS, clock_of, folded, hottest, place_text, speedscope

LIBRARY = "/usr/lib/python3.11/threading.py"


def row(parent: int, function: str, samples: int, cpu_s: float, file: str = "") -> dict[str, Any]:
    place = {"file": file, "line": 7 if file else 0, "is_users": file == "shop.py"}
    return {"parent": parent, "function": function, **place, "samples": samples, "cpu_s": cpu_s}


# Two threads: one computes, below a function that calls itself, and one waits.
PROFILE: dict[str, Any] = {
    "seconds": 2.0,
    "samples": 100,
    "has_cpu": True,
    "cut": 0,
    "frames": [
        row(-1, "all threads", 200, 1.0),
        row(0, "worker; one\n\x1b", 100, 0.9),
        row(1, "Shop.buy", 100, 0.9, "shop.py"),
        row(2, "Shop.buy", 60, 0.5, "shop.py"),
        row(3, "price<a>", 20, 0.2, "shop.py"),
        row(0, "idle", 100, 0.1),
        row(5, "Event.wait", 100, 0.1, LIBRARY),
    ],
}


def test_a_function_that_calls_itself_is_counted_once_with_what_it_calls() -> None:
    rows = {each["function"]: each for each in hottest(PROFILE)}

    buy = rows["Shop.buy"]
    assert (buy["cpu_own_s"], buy["cpu_total_s"]) == (pytest.approx(0.7), pytest.approx(0.9))
    assert (buy["time_own_s"], buy["time_total_s"]) == (pytest.approx(1.6), pytest.approx(2.0))
    assert rows["price<a>"]["cpu_own_s"] == rows["price<a>"]["cpu_total_s"] == pytest.approx(0.2)
    assert set(rows) == {"Shop.buy", "price<a>", "Event.wait"}


@pytest.mark.parametrize("clock", CLOCKS)
def test_all_that_was_seen_is_in_the_folded_stacks(clock: str) -> None:
    stacks = dict(line.rsplit(" ", 1) for line in folded(PROFILE, clock))

    assert sum(map(int, stacks.values())) == {"cpu": 1_000_000, "time": 4_000_000}[clock]
    assert "idle;Event.wait (threading.py:7)" in stacks
    assert all("\n" not in stack and stack.count(";") <= 3 for stack in stacks)


@pytest.mark.parametrize("clock", CLOCKS)
def test_speedscope_gets_a_profile_of_each_thread(clock: str) -> None:
    document = speedscope(PROFILE, clock, "bank")

    names = [frame["name"] for frame in document["shared"]["frames"]]
    first, second = document["profiles"]
    assert {first["name"], second["name"]} == {"worker; one\n\x1b", "idle"}
    for profile in (first, second):
        assert len(profile["samples"]) == len(profile["weights"]) > 0
        assert math.isclose(profile["endValue"], sum(profile["weights"]))
        assert all(0 <= place < len(names) for stack in profile["samples"] for place in stack)
    assert math.isclose(first["endValue"] + second["endValue"], {"cpu": 1.0, "time": 4.0}[clock])
    assert ["Shop.buy", "Shop.buy", "price<a>"] in [[names[place] for place in stack] for stack in first["samples"]]


def test_a_profile_of_one_class_has_no_threads_and_is_one_profile_for_speedscope() -> None:
    frames = [row(-1, "all threads", 10, 0.5), row(0, "Shop.buy", 10, 0.5, "shop.py")]

    (profile,) = speedscope({**PROFILE, "frames": frames}, "cpu", "class Shop")["profiles"]

    assert profile["name"] == "class Shop" and profile["weights"] == [0.5]
    assert list(folded({**PROFILE, "frames": frames}, "cpu")) == ["Shop.buy (shop.py:7) 500000"]


@pytest.mark.parametrize("clock", CLOCKS)
def test_the_picture_is_well_formed_whatever_functions_are_called(clock: str) -> None:
    picture = ElementTree.fromstring(flame_svg(PROFILE, clock, "<bank> & co"))

    titles = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == len(PROFILE["frames"])
    assert any(title.startswith("price<a>: ") and title.endswith("shop.py:7") for title in titles)
    boxes = [element for element in picture.iter("{http://www.w3.org/2000/svg}rect") if "x" in element.attrib]
    assert max(float(each.attrib["x"]) + float(each.attrib["width"]) for each in boxes) <= 1200.1


def test_where_nothing_was_seen_there_is_a_picture_that_says_so() -> None:
    nothing = {**PROFILE, "frames": [row(-1, "all threads", 0, 0.0)]}

    assert "nothing was seen to run" in flame_svg(nothing, "cpu", "bank")
    assert hottest(nothing) == [] and list(folded(nothing, "cpu")) == []
    assert speedscope(nothing, "cpu", "bank")["profiles"] == []


def test_time_by_the_clock_stands_in_where_the_system_tells_no_processor_time() -> None:
    assert clock_of({"has_cpu": False}) == "time" and clock_of({"has_cpu": True}) == "cpu"
    assert clock_of({"has_cpu": True}, "time") == "time"


def test_places_are_told_without_the_folder_of_libraries() -> None:
    told = {
        file: place_text({"file": file, "line": 3}) for file in (LIBRARY, "/srv/shop.py", "/x/site-packages/a/b.py")
    }

    assert list(told.values()) == ["threading.py:3", "/srv/shop.py:3", "a/b.py:3"]
