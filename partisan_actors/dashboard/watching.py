"""What the dashboard knows of the cluster: nodes are asked when somebody looks, and the answers shared for a moment.

Rules kept here:

1. Nodes are asked only for what somebody looks at. However many look at the same thing, they are asked once in FRESH_S.
2. A node that does not answer within ANSWER_S is told as such. From then on nobody waits for it for longer than
   SILENT_S, until one of its answers comes after all; each question goes on in the background meanwhile.
3. When the node that tells who is in the cluster does not answer, the next one that is known is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from partisan_actors.api.inspection import LIVE
from partisan_actors.api.observer import Answer
from partisan_actors.dashboard.problems import Problem
from partisan_actors.errors import PartisanError
from partisan_actors.ids import NodeId

__all__ = ["ACTION_S", "ANSWER_S", "FRESH_S", "Asker", "Survey", "Watcher"]

FRESH_S: Final = 1.0
ANSWER_S: Final = 2.0
SILENT_S: Final = 0.25
KEPT_MAX: Final = 256
ACTION_S: Final = 30.0


class Asker(Protocol):
    """What this needs of an `Observer`."""

    @property
    def cluster(self) -> str:
        """The name of the cluster."""
        ...

    @property
    def contact(self) -> NodeId:
        """The node that tells who is in the cluster."""
        ...

    async def connect(self, addresses: Sequence[str]) -> NodeId:
        """Find the first of these at which a node answers, and take it for the contact. Raises PartisanError."""
        ...

    async def members(self) -> list[dict[str, Any]]:
        """Every node that the contact knows of. Raises PartisanError."""
        ...

    async def ask_row(self, row: dict[str, Any], service: str, method: str, *args: Any, timeout_s: float) -> Answer:
        """Ask a member itself, dialling it. What goes wrong is an Answer, too."""
        ...


@dataclass(frozen=True, slots=True)
class Survey:
    """What the nodes said: every known member's row, and the answers of those that were asked."""

    cluster: str
    rows: list[dict[str, Any]]
    answers: list[Answer] = field(default_factory=list)

    @property
    def answered(self) -> list[Answer]:
        """Those that did answer."""
        return [answer for answer in self.answers if answer.why is None]

    def facts(self) -> dict[str, Any]:
        """How complete this is."""
        silent = [{"name": answer.name, "why": answer.why} for answer in self.answers if answer.why is not None]
        return {
            "cluster": self.cluster,
            "asked": len(self.answers),
            "answered": len(self.answers) - len(silent),
            "unanswered": silent,
        }


class Watcher:
    """Asks on behalf of all visitors, on one loop. `addresses` is where a first node is looked for."""

    def __init__(self, asker: Asker, addresses: Callable[[], Sequence[str]], clock: Callable[[], float]) -> None:
        self._asker = asker
        self._addresses = addresses
        self._clock = clock
        self._flights: dict[tuple[Any, ...], asyncio.Task[Any]] = {}
        self._kept: OrderedDict[tuple[Any, ...], tuple[float, Any]] = OrderedDict()
        # The node that was found first: the one that this dashboard runs beside, if it does.
        self._home: dict[str, Any] | None = None
        self._rows: list[dict[str, Any]] = []
        self._silent: set[str] = set()
        self._late: set[asyncio.Task[Answer]] = set()

    @property
    def cluster(self) -> str:
        """The name of the cluster that is looked at."""
        return self._asker.cluster

    async def start(self) -> None:
        """Find a first node. Raises ConfigError, NotYetConnected and AuthenticationError as `Observer.connect` does."""
        addresses = list(self._addresses())
        contact = await self._asker.connect(addresses)
        self._home = {"name": contact.name, "id": str(contact), "addresses": addresses}
        # Whom to turn to when that one is gone.
        with contextlib.suppress(Problem):
            await self.members()

    async def close(self) -> None:
        """Stop asking."""
        jobs = [*self._flights.values(), *self._late]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    # ---- questions --------------------------------------------------------------------------------------------

    async def members(self) -> list[dict[str, Any]]:
        """Every node of the cluster, up or not. Raises Problem when nobody answers."""
        rows: list[dict[str, Any]] = await self._shared(("members",), self._ask_members)
        return rows

    async def survey(self, service: str, method: str, *args: Any) -> Survey:
        """Ask every node that is up. Arguments are plain data. Raises Problem when no node at all answers."""

        async def ask() -> Survey:
            rows = await self.members()
            live = [row for row in rows if row["state"] in LIVE]
            return Survey(self.cluster, rows, await self._ask_rows(live, service, method, *args))

        found: Survey = await self._shared((service, method, repr(args)), ask)
        return found

    async def ask_node(self, name: str, service: str, method: str, *args: Any) -> Any:
        """Ask one node. Raises Problem: there is no such node, or it does not answer, or refuses."""
        return await self._ask_one(await self.row_of(name), service, method, *args)

    async def ask_home(self, service: str, method: str) -> Any:
        """Ask the node that was found first. Raises Problem when it does not answer."""
        assert self._home is not None, "start first"
        return await self._ask_one(self._home, service, method)

    async def act(self, name: str, service: str, method: str, *args: Any, timeout_s: float = ACTION_S) -> Any:
        """Have one node do something; what was said before is old then. Raises Problem as `ask_node`, and 409."""
        row = await self.row_of(name)
        answer = await self._asker.ask_row(row, service, method, *args, timeout_s=timeout_s)
        self._kept.clear()
        if answer.why is not None:
            raise Problem(502 if answer.is_silent else 409, f"node {name}: {answer.why}")
        return answer.value

    async def act_on_all(
        self, service: str, method: str, *args: Any, timeout_s: float = ACTION_S, names: Collection[str] | None = None
    ) -> list[Answer]:
        """Have every node that is up, or of those the named ones, do something. What goes wrong is an answer, too."""
        rows = [row for row in await self.members() if row["state"] in LIVE and (names is None or row["name"] in names)]
        asked = (self._asker.ask_row(row, service, method, *args, timeout_s=timeout_s) for row in rows)
        answers = await asyncio.gather(*asked)
        self._kept.clear()
        return list(answers)

    async def _ask_one(self, row: dict[str, Any], service: str, method: str, *args: Any) -> Any:
        async def ask() -> Answer:
            return await self._asker.ask_row(row, service, method, *args, timeout_s=ANSWER_S)

        answer: Answer = await self._shared((row["id"], service, method, repr(args)), ask)
        if answer.why is not None:
            raise Problem(502, f"node {row['name']} gave no answer: {answer.why}")
        return answer.value

    async def row_of(self, name: str) -> dict[str, Any]:
        """What the cluster knows of a node. Raises Problem when it has none of that name."""
        for row in await self.members():
            if row["name"] == name:
                return row
        raise Problem(404, f"the cluster has no node {name!r}")

    # ---- asking -----------------------------------------------------------------------------------------------

    async def _shared(self, key: tuple[Any, ...], ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Rule 1."""
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept[0]:
            return kept[1]
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._fly(key, ask), name=f"dashboard asks {key[:2]}")
        # Whoever loses interest must not take the answer away from others.
        return await asyncio.shield(flight)

    async def _fly(self, key: tuple[Any, ...], ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        try:
            value = await ask()
            self._kept[key] = self._clock() + FRESH_S, value
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
            return value
        finally:
            del self._flights[key]

    async def _ask_members(self) -> list[dict[str, Any]]:
        """Rule 3."""
        try:
            async with asyncio.timeout(ANSWER_S):
                self._rows = await self._asker.members()
        except (PartisanError, TimeoutError, AssertionError) as error:
            self._rows = await self._ask_another(error)
        return self._rows

    async def _ask_another(self, failure: Exception) -> list[dict[str, Any]]:
        known = [address for row in self._rows if row["state"] in LIVE for address in row["addresses"][:1]]
        for address in dict.fromkeys([*known, *self._addresses()]):
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._asker.connect([address])
                    return await self._asker.members()
            except (PartisanError, TimeoutError) as error:
                failure = error
        why = str(failure) or f"nobody did within {ANSWER_S:g} s"
        raise Problem(503, f"no node of the cluster answers: {why}")

    async def _ask_rows(self, rows: Sequence[dict[str, Any]], service: str, method: str, *args: Any) -> list[Answer]:
        """Rule 2."""
        jobs = [
            asyncio.create_task(self._ask_row(row, service, method, *args), name=f"dashboard asks {row['name']}")
            for row in rows
        ]
        self._late.update(jobs)
        for job in jobs:
            job.add_done_callback(self._late.discard)
        patient = [job for job, row in zip(jobs, rows, strict=True) if row["name"] not in self._silent]
        if patient:
            await asyncio.wait(patient)
        if len(patient) < len(jobs):
            await asyncio.wait(jobs, timeout=SILENT_S)
        return [
            job.result() if job.done() else Answer(row, why="it has not answered for a while")
            for job, row in zip(jobs, rows, strict=True)
        ]

    async def _ask_row(self, row: dict[str, Any], service: str, method: str, *args: Any) -> Answer:
        answer = await self._asker.ask_row(row, service, method, *args, timeout_s=ANSWER_S)
        if answer.is_silent:
            self._silent.add(answer.name)
        else:
            self._silent.discard(answer.name)
        return answer
