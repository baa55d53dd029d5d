"""Commands that go on when the node that they ask goes down."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.cli.contacts import Contacts
from partisan_actors.errors import NodeDown, NotYetConnected

ROWS = [
    {"id": f"{name}~1", "name": name, "state": state, "addresses": [f"{name}:1"]}
    for name, state in (("a", "up"), ("b", "down"), ("c", "up"), ("d", "up"))
]


class Cluster:
    """Stands for an observer: `down` are the nodes that do not answer."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.contact = "a~1"
        self.dialled: list[str] = []

    async def connect(self, addresses: list[str]) -> None:
        name = addresses[0].partition(":")[0]
        self.dialled.append(name)
        if name in self.down:
            raise NotYetConnected(name, "nobody listens there")
        self.contact = f"{name}~1"

    async def members(self) -> list[dict[str, Any]]:
        if self.contact.partition("~")[0] in self.down:
            raise NodeDown(self.contact, "the connection broke")
        return ROWS


async def test_another_node_that_was_up_is_asked_and_that_is_said_once() -> None:
    cluster, told = Cluster(), list[str]()
    contacts = Contacts(cluster, told.append)  # type: ignore[arg-type]  # what of an observer it needs

    assert await contacts.members() == ROWS
    cluster.down = {"a", "c"}
    assert await contacts.members() == await contacts.members() == ROWS

    assert cluster.dialled == ["c", "d"]
    assert told == ["node a does not answer: going on through node d"]


async def test_where_nobody_answers_what_was_wrong_with_the_first_one_is_raised() -> None:
    cluster = Cluster()
    contacts = Contacts(cluster, print)  # type: ignore[arg-type]  # what of an observer it needs
    cluster.down = {"a", "c", "d"}

    with pytest.raises(NodeDown):
        await contacts.members()
