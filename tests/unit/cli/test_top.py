"""Tests of the screen of `partisan top`: what stands there, and what keys change."""

from __future__ import annotations

import asyncio
from io import StringIO
from typing import Any

from rich.console import Console

from partisan_actors.cli.looks import between
from partisan_actors.cli.top import SORTS, Screen
from tests.unit.cli.test_looks import look


def facts() -> dict[str, Any]:
    """Of two nodes, one of which is silent."""
    happened = between(look(0.0, a_1=(100, 1.0), b_1=(0, 0.0)), look(2.0, a_1=(140, 2.0), b_1=None))
    return {"cluster": "c", "asked": 2, "answered": 1, **happened}


async def test_it_says_what_happens_and_who_did_not_answer() -> None:
    text = Screen("calls").text(facts())

    assert text.splitlines()[0].startswith("cluster c: 2 nodes (1 of 2 answered), 20 calls/s, p50 ")
    assert "no answer" in text and "1 MiB" in text
    assert any(line.split()[:4] == ["A", "m", "ask", "20"] for line in text.splitlines())


async def test_texts_of_others_are_shown_without_what_a_terminal_obeys() -> None:
    assert "\x1b" not in Screen("calls").text({**facts(), "cluster": "c\x1b[2J"})


async def test_methods_that_nobody_calls_are_not_shown() -> None:
    still = between(look(0.0, a_1=(100, 1.0)), look(2.0, a_1=(100, 1.0)))

    assert Screen("calls").methods({**facts(), **still}) == []


async def test_a_key_sorts_by_another_column_and_in_the_end_by_the_first_again() -> None:
    screen = Screen("calls")
    seen = []
    for _ in SORTS:
        screen.key("s")
        seen.append(screen.sort)

    assert sorted(seen) == sorted(SORTS) and seen[-1] == "calls"


async def test_it_waits_until_it_is_told_to_end() -> None:
    screen = Screen("calls")
    waiting = asyncio.create_task(screen.wait_quit(3600))
    screen.key("x")
    await asyncio.sleep(0)
    assert not waiting.done()

    screen.key("q")

    assert await waiting


async def test_or_until_the_time_is_over() -> None:
    assert not await Screen("calls").wait_quit(0.001)


async def test_at_a_terminal_the_same_stands_there() -> None:
    console = Console(width=200, record=True, file=StringIO())
    console.print(Screen("run").rich(facts(), 200))

    shown = console.export_text()
    assert "cluster c: 2 nodes (1 of 2 answered)" in shown and "sorted by run" in shown and "no answer" in shown
