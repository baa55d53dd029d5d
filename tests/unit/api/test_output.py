"""Where lines go: what was printed for a program to that, the rest to who has the process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from partisan_actors.api.output import LINES_MAX, SessionOutput
from partisan_actors.errors import ConfigError
from partisan_actors.node.printed import Line, Writer
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import until
from tests.unit.api.runtimes import runtimes


class Screen:
    """Stands for a printer."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def take(self, lines: Any, *, waits: bool) -> None:
        self.lines += [line.text for line in lines]


def outputs_of(*made: tuple[Any, dict[str, bool]]) -> list[tuple[SessionOutput, Screen]]:
    """The outputs of these runtimes, and what each shows."""
    found = []
    for runtime, options in made:
        output, screen = SessionOutput(**options), Screen()
        output._printer = screen
        output.attach(runtime)
        found.append((output, screen))
    return found


def said(owner: Any, text: str) -> Line:
    return Line(Writer("A", 1, "a", str(owner) if owner else ""), text)


async def test_a_program_shows_what_is_its_own_and_passes_on_what_is_another_s() -> None:
    async with runtimes(MemoryNetwork(), "first", "second") as (first, second):
        (output, mine), (_, theirs) = outputs_of((first, {}), (second, {}))

        output.take([said(first.node.me, "mine"), said(second.node.me, "theirs"), said(None, "anybody's")])

        await until(lambda: theirs.lines == ["theirs"], "the other to show its line")
        assert mine.lines == ["mine", "anybody's"]


async def test_a_server_shows_all_and_passes_on_what_is_a_program_s() -> None:
    async with runtimes(MemoryNetwork(), "server", "program") as (server, program):
        (output, all_of_it), (_, theirs) = outputs_of((server, {"shows_all": True}), (program, {}))
        lines = [str(number) for number in range(3 * LINES_MAX // 4)]

        output.take([said(program.node.me, line) for line in lines])
        output.take([said(None, "log")])

        await until(lambda: theirs.lines == lines, "the program to show its lines, in order")
        assert all_of_it.lines == [*lines, "log"]


async def test_what_finds_no_room_is_counted_and_told_and_the_rest_arrives() -> None:
    async with runtimes(MemoryNetwork(), "server", "program") as (server, program):
        (output, _), (_, theirs) = outputs_of((server, {"shows_all": True}), (program, {}))

        output.take([said(program.node.me, "x") for _ in range(LINES_MAX + 10)])  # at once: the loop has no turn

        await until(lambda: len(theirs.lines) > LINES_MAX, "what was lost to be told")
        assert theirs.lines[LINES_MAX:] == ["... 10 lines were lost here: they came too fast"]


async def test_what_is_for_nobody_who_takes_it_is_shown_where_it_came_from() -> None:
    async with runtimes(MemoryNetwork(), "first", "plain") as (first, plain):
        ((output, mine),) = outputs_of((first, {}))

        output.take([said(plain.node.me, "for one that shows nothing"), said("gone~1", "for one that is gone")])

        await until(lambda: len(mine.lines) == 2, "both to be shown here")


async def test_a_program_that_wants_none_is_not_sent_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with runtimes(MemoryNetwork(), "server", "program") as (server, program):
        (output, _), (other, theirs) = outputs_of((server, {"shows_all": True}), (program, {"is_wanted": False}))
        asked: list[int] = []
        take = other.lines

        async def lines(peer: Any, rows: Any, lost: int) -> bool:
            asked.append(len(rows))
            return await take(peer, rows, lost)

        monkeypatch.setattr(other, "lines", lines)
        forwarding = output._forwarding
        assert forwarding is not None
        for number in range(5):
            output.take([said(program.node.me, str(number))])
            await until(lambda: asked, "the program to be asked")
            await until(lambda: not forwarding.is_busy_for(str(program.node.me)), "it to have answered")

        assert asked == [1]
        assert theirs.lines == []


async def test_a_flush_is_answered_when_what_was_there_has_arrived() -> None:
    async with runtimes(MemoryNetwork(), "server", "program") as (server, program):
        (output, _), (other, theirs) = outputs_of((server, {"shows_all": True}), (program, {}))

        output.take([said(program.node.me, "last words")])
        await asyncio.wait_for(other.collect(), 60)

        assert theirs.lines == ["last words"]


def test_a_wish_that_is_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(ConfigError, match="log_to_driver"):
        SessionOutput(is_wanted="maybe")
