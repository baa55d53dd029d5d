"""Who is in the cluster, asked again and again: when the node that tells goes down, another one is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from partisan_actors.api.inspection import LIVE
from partisan_actors.api.observer import Observer
from partisan_actors.cli.tame import tame
from partisan_actors.errors import PartisanError

__all__ = ["Contacts"]


class Contacts:
    """For commands that go on until somebody ends them. `tell` gets a line when another node is asked."""

    def __init__(self, observer: Observer, tell: Callable[[str], None] | None = None) -> None:
        self._observer = observer
        self._tell = tell or (lambda text: click.echo(tame(text), err=True))
        self._known: list[dict[str, Any]] = []

    async def members(self) -> list[dict[str, Any]]:
        """As `Observer.members`. Raises what that raises, when no other node that was up answers either."""
        try:
            self._known = await self._observer.members()
        except PartisanError as error:
            self._known = await self._through_another(error)
        return self._known

    async def _through_another(self, failure: PartisanError) -> list[dict[str, Any]]:
        was = str(self._observer.contact)
        name = next((row["name"] for row in self._known if row["id"] == was), was)
        for row in self._known:
            if row["state"] not in LIVE or row["id"] == was:
                continue
            for address in row["addresses"]:
                try:
                    await self._observer.connect([address])
                    members = await self._observer.members()
                except PartisanError:
                    continue
                self._tell(f"node {name} does not answer: going on through node {row['name']}")
                return members
        raise failure
