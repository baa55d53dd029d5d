"""A cluster that answers as it is told to, for dashboards to look at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession

from partisan_actors.api.observer import Answer
from partisan_actors.dashboard.doors import Patience
from partisan_actors.dashboard.endpoints import Desk
from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.dashboard.server import Server
from partisan_actors.dashboard.watching import Watcher
from partisan_actors.errors import NotYetConnected
from partisan_actors.ids import NodeId

TOKEN = "a-token-of-more-than-16-characters"


def member(name: str, state: str = "up", **changes: Any) -> dict[str, Any]:
    """A node as its cluster knows it."""
    return {
        "name": name,
        "id": f"{name}~1",
        "state": state,
        "addresses": [f"{name}:1"],
        "host": "here",
        "pid": 1,
        "overlay": "hyparview",
        "hosts_actors": True,
        "resources": {},
        "available": {},
        "labels": {},
        "actors": 0,
        "neighbours": [],
        "suspected_by": [],
        "draining": False,
        "hosted_by": "",
        "is_me": False,
        **changes,
    }


def status(name: str, **changes: Any) -> dict[str, Any]:
    """What a node says of itself in numbers, as far as the dashboard reads it."""
    return {
        "node": name,
        "uptime_s": 12.5,
        "actors": 2,
        "tasks_running": 1,
        "tasks_queued": 0,
        "tasks_finished": 7,
        "dead_letters": 0,
        "restarts": 0,
        "insecure": False,
        "fault_rules": 0,
        "troubles": [],
        "total": {"num_cpus": 1.0},
        "available": {"num_cpus": 0.5},
        **changes,
    }


class FakeCluster:
    """An `Asker`. `answers` has what a node says to "service.method": a value, an Exception, an Event to wait for."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, str, tuple[Any, ...]]] = []
        self.is_gone = False
        self.cluster = "fake"
        self.contact = NodeId("a", 1)

    def say(self, method: str, value: Callable[[str], Any] | Any) -> None:
        """Every node answers that; a function is called with its name."""
        for row in self.rows:
            self.answers[row["name"], method] = value(row["name"]) if callable(value) else value

    async def connect(self, addresses: Sequence[str]) -> NodeId:
        if self.is_gone:
            raise NotYetConnected(addresses[0], "nobody listens there")
        name = addresses[0].partition(":")[0]
        self.contact = NodeId(name, 1)
        return self.contact

    async def members(self) -> list[dict[str, Any]]:
        self.asked.append((self.contact.name, "members", ()))
        if self.is_gone or isinstance(self.answers.get((self.contact.name, "members")), Exception):
            raise NotYetConnected(self.contact.name, "it is gone")
        return list(self.rows)

    async def ask_row(self, row: dict[str, Any], service: str, method: str, *args: Any, timeout_s: float) -> Answer:
        question = f"{service}.{method}"
        self.asked.append((row["name"], question, args))
        value = self.answers.get((row["name"], question), LookupError(f"no request {question}"))
        if isinstance(value, asyncio.Event):
            try:
                async with asyncio.timeout(timeout_s):
                    await value.wait()
            except TimeoutError:
                return Answer(row, why="nothing came", is_silent=True)
            return Answer(row, "late")
        if callable(value):
            value = value(*args)
        if isinstance(value, Exception):
            return Answer(row, why=str(value), is_silent=isinstance(value, OSError))
        return Answer(row, value)

    def count(self, question: str) -> int:
        """How often that was asked, of any node."""
        return sum(each[1] == question for each in self.asked)


@asynccontextmanager
async def served(
    cluster: FakeCluster,
    *,
    token: str = "",
    read_only: bool = False,
    cookies: bool = True,
    patience: Patience | None = None,
) -> AsyncIterator[tuple[ClientSession, Server]]:
    """A dashboard of that cluster on a free port, and a client whose requests go to it."""
    options = DashboardOptions("127.0.0.1", 0, token, read_only)
    watcher = Watcher(cluster, lambda: [f"{row['name']}:1" for row in cluster.rows], asyncio.get_running_loop().time)
    await watcher.start()
    desk = Desk(watcher, options, lambda: 1000.0)
    async with (
        Server(desk, patience=patience) as server,
        ClientSession(f"http://127.0.0.1:{server.port}", **_jar(cookies)) as client,
    ):
        yield client, server
    await desk.close()
    await watcher.close()


def _jar(cookies: bool) -> dict[str, Any]:
    from aiohttp import CookieJar, DummyCookieJar

    # Browsers keep cookies of hosts that are addresses; aiohttp has to be told to.
    return {"cookie_jar": CookieJar(unsafe=True) if cookies else DummyCookieJar()}
