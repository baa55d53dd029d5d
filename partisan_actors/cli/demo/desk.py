"""The desk where queries are handed to librarians, several at a time, and their answers kept in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import partisan_actors as pa
from partisan_actors.cli.demo.index import Answer, Librarian, insist
from partisan_actors.cli.demo.outcome import Load

__all__ = ["Desk"]

CLIENTS: Final = 16
"""How many queries are in progress at a time."""


class Desk:
    """Answers `queries`, taking turns among `librarians`. A query whose node dies is asked again."""

    def __init__(self, queries: Sequence[str], librarians: Sequence[pa.ActorHandle[Librarian]]) -> None:
        self.is_half_way = asyncio.Event()
        self._queries = queries
        self._librarians = librarians
        self._answers: dict[int, Answer] = {}
        self._next = iter(range(len(queries)))
        self._calls = self._lost_calls = 0
        self._began = self._latest = time.perf_counter()
        self._slowest_s = 0.0

    async def answer_all(self) -> None:
        """Return when every query is answered: `answers` then has one for each."""
        self._began = time.perf_counter()
        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(self._client())

    @property
    def answers(self) -> list[Answer]:
        """The answers so far, in the order of the queries."""
        return [answer for _, answer in sorted(self._answers.items(), key=lambda item: item[0])]

    @property
    def load(self) -> Load:
        """The calls so far."""
        return Load(self._calls, self._lost_calls, self._latest - self._began, self._slowest_s)

    async def _client(self) -> None:
        for number in self._next:
            librarian = self._librarians[number % len(self._librarians)]
            asked = time.perf_counter()
            found, lost_calls = await insist(librarian.search.remote, self._queries[number])
            self._answers[number] = found.answer
            self._calls += found.calls + 1
            self._lost_calls += found.lost_calls + lost_calls
            self._latest = time.perf_counter()
            self._slowest_s = max(self._slowest_s, self._latest - asked)
            if len(self._answers) >= len(self._queries) // 2:
                self.is_half_way.set()
