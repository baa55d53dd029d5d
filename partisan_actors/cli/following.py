"""Rows that nodes number as they come, of all nodes of a cluster: the last of them, and then what comes from now on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import click

from partisan_actors.api.inspection import LIVE
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.cli.asking import check_node
from partisan_actors.cli.contacts import Contacts
from partisan_actors.cli.tame import tame

__all__ = ["Following"]

FOLLOW_S: Final = 1.0


class Following:
    """What the `service` of every node answers to `tail`, round after round; `node` is the only one, if it is named.

    Nodes that come later are asked as well. Who does not answer is told on stderr, once until it answers again; so is
    how many `things` a node has forgotten before they were asked for. When the node that tells who is in the cluster
    goes down, another one is asked, and stderr says so.
    """

    def __init__(self, observer: Observer, service: str, things: str, limit_max: int, node: str | None) -> None:
        self._observer = observer
        self._service = service
        self._things = things
        self._limit_max = limit_max
        self._node = node
        # By the id of the node: a new life of it begins anew.
        self._nexts: dict[str, int] = {}
        self._silent: set[str] = set()
        self._contacts = Contacts(observer)

    async def rounds(self, query: Mapping[str, Any], limit: int, *, goes_on: bool) -> AsyncIterator[list[Any]]:
        """The last `limit` rows of each node; and then, if it `goes_on`, every second those that have come since."""
        yield await self._round({**query, "limit": limit}, is_first=True)
        while goes_on:
            await asyncio.sleep(FOLLOW_S)
            yield await self._round({**query, "limit": self._limit_max}, is_first=False)

    async def _round(self, query: Mapping[str, Any], *, is_first: bool) -> list[Any]:
        members = await self._contacts.members()
        if is_first:
            check_node(members, self._node)
        live = [row for row in members if row["state"] in LIVE and self._node in (None, row["name"])]
        jobs = [
            # Of who has come since, all.
            self._ask(row, query if is_first else {**query, "after": self._nexts.get(row["id"], 0)})
            for row in live
        ]
        answers = await asyncio.gather(*jobs)
        rows = [row for answer in answers for row in self._rows_of(answer)]
        answered = sum(answer.why is None for answer in answers)
        if is_first and answered < len(answers):
            click.echo(f"{answered} of {len(answers)} nodes answered", err=True)
        return rows

    async def _ask(self, row: dict[str, Any], query: Mapping[str, Any]) -> Answer:
        return await self._observer.ask_row(row, self._service, "tail", dict(query))

    def _rows_of(self, answer: Answer) -> list[Any]:
        if answer.why is not None:
            if answer.name not in self._silent:
                click.echo(tame(f"no answer from {answer.name}: {answer.why}"), err=True)
            self._silent.add(answer.name)
            return []
        self._silent.discard(answer.name)
        if answer.value["dropped"]:
            click.echo(f"{answer.value['dropped']} {self._things} of {answer.name} are forgotten", err=True)
        self._nexts[answer.row["id"]] = answer.value["next"]
        rows: list[Any] = answer.value["rows"]
        return rows
