"""docs/architecture.md draws the floors that the contracts keep, and shows every room there is."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from tests.house.source import PACKAGE, ROOT

PAGE: Final = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text of the section whose heading begins with `title`."""
    found = re.search(rf"^## {title}.*?$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/architecture.md has no section {title!r}"
    return found[1]


def fenced(text: str) -> str:
    """The first fenced block of `text`."""
    found = re.search(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def contract(name: str) -> dict[str, Any]:
    """The import-linter contract of that id."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (found,) = [each for each in settings["tool"]["importlinter"]["contracts"] if each["id"] == name]
    return dict(found)


def names(floor: str) -> list[str]:
    """The folders of one floor: "(a) | b" gives a and b."""
    return re.findall(r"\w+", floor)


def test_the_floors_on_the_page_are_those_of_the_contract() -> None:
    drawn = [names(re.split(r"\s{2,}", line.strip())[0]) for line in fenced(section("Floors")).splitlines()]

    assert drawn == [names(layer) for layer in contract("floors")["layers"]]


def test_every_folder_of_the_package_is_among_the_rooms() -> None:
    rooms = set(re.findall(r"^(\w+)(?:/|\.py)", fenced(section("Rooms")), re.MULTILINE))
    folders = {path.parent.name for path in PACKAGE.glob("*/*.py")}

    assert folders <= rooms


def test_every_room_that_is_not_planned_is_there() -> None:
    for line in fenced(section("Rooms")).splitlines():
        room = re.match(r"(\w+)/", line)
        if room and "planned" not in line:
            assert (PACKAGE / room[1]).is_dir() or (ROOT / room[1]).is_dir(), f"no such room: {room[1]}"


def test_every_planned_room_is_still_to_come() -> None:
    for line in fenced(section("Rooms")).splitlines():
        room = re.match(r"(\w+)/", line)
        if room and "planned" in line:
            assert not (PACKAGE / room[1]).is_dir(), f"{room[1]} is there: say what is in it"


def test_every_module_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(\w+/\w+\.py)`", PAGE))

    assert "actors/cell.py" in named
    assert [path for path in named if not (PACKAGE / path).is_file() and not (ROOT / path).is_file()] == []


def test_every_module_that_is_named_with_dots_is_there() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    named = {(room, name) for room, name in re.findall(r"`(\w+)\.(\w+)(?:\.\w+)?`", PAGE) if room in folders}

    assert ("node", "driver") in named
    missing = [
        f"{room}.{name}"
        for room, name in sorted(named)
        if not (PACKAGE / room / f"{name}.py").is_file() and not (PACKAGE / room / name).is_dir()
    ]
    assert missing == []
