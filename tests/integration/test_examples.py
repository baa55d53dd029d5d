"""Every program in examples/ is short, runs as it stands, prints what it promises, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.integration.programs import ROOT, Programs

# Those that begin with a number are programs; the others are modules that these import.
EXAMPLES: Final = sorted((ROOT / "examples").glob("[0-9]*.py"))
LINES_MAX: Final = 80
PATH: Final = os.pathsep.join([str(ROOT), str(ROOT / "examples")])

# What a reader of each program expects to see.
EXPECTED: Final = {
    "01_actors": [
        "10 + 5 = 15",
        "after 100 more: 115",
        "refused: ValueError: this counter",
        "one of them is this one: False",
    ],
    "02_tasks": ["primes below 40000 = 4203", "longest gap, and where it begins: (72, 31397)", "refused: primes"],
    "03_asyncio": ["ann: hello", "bob: hello ann", "ann: how are you?", "timed out"],
    "04_failure": ["visits: 1 2 and 1", "visits, after a restart: 1", "on another node: True", "gone: ActorNodeDown"],
    "05_inverted_index": ["'event loop'", "'no_such_word': 0 files, nothing first", "as without a cluster: True"],
    "06_node_events": ["the program: True down", "the watchman: 1 node gone", "asked again: down", "still here: True"],
    "07_own_overlay": ["whispered: ann bob cid dot eve fay", "neighbours of each: 4 4 4 4 4 4 4"],
    "08_topics": [
        "this program heard: apple apple pear",
        "apples, in every cache: [5, 5, 5, 5, 5, 5]",
        "put() the value, and broadcast the ref",
    ],
    "09_under_faults": ["wrong for seeds: []", "some are wrong: True", " of 30; the same once more: True"],
}


def test_every_example_is_known_here() -> None:
    assert [example.stem for example in EXAMPLES] == sorted(EXPECTED)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_is_short(example: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) < LINES_MAX


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_prints_what_it_promises(programs: Programs, example: Path) -> None:
    output = programs.run(example.read_text(encoding="utf-8"), PYTHONPATH=PATH)

    for text in EXPECTED[example.stem]:
        assert text in output
    assert "Traceback" not in output and "without a cluster: False" not in output
    # Nobody looks for another guardian of what ends with the program.
    assert "could not be made a guardian" not in output
