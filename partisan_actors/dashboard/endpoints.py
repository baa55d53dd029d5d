"""`Endpoint`: one thing that can be asked for, as the server serves it and as OpenAPI describes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.dashboard.parameters import Parameter
from partisan_actors.dashboard.rates import Rates
from partisan_actors.dashboard.watching import Watcher

__all__ = ["Desk", "Endpoint", "Handler", "Raw"]


@dataclass(slots=True)
class Desk:
    """What every endpoint may use. `now` is the time of day in seconds."""

    watcher: Watcher
    options: DashboardOptions
    now: Callable[[], float]
    rates: Rates = field(default_factory=Rates)
    # What was begun and takes its time, by the node that it is about.
    jobs: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def close(self) -> None:
        """Nobody waits any more for what was begun. The nodes go on with it."""
        jobs = list(self.jobs.values())
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is not JSON of ours: bytes, as they are, and what they are."""

    body: bytes
    content_type: str
    status: int = 200


Handler = Callable[[Desk, Mapping[str, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`answer` is the JSON schema of what `handler` returns, for what is said in `parameters`.

    An action is asked for by POST and changes something; `given` has `who` asks then. One that takes a body is asked
    for by POST, too, changes nothing, and is `given` the `body`. One that is open is answered without a token. A
    lenient one passes over parameters that it does not know. `problems` are the statuses of refusals, beside those
    that there are everywhere.
    """

    path: str
    summary: str
    handler: Handler
    answer: Mapping[str, Any]
    tag: str
    parameters: tuple[Parameter, ...] = ()
    is_action: bool = False
    is_open: bool = False
    is_lenient: bool = False
    takes_body: bool = False
    content_type: str = "application/json"
    problems: tuple[int, ...] = ()

    @property
    def method(self) -> str:
        """As HTTP names it."""
        return "POST" if self.is_action or self.takes_body else "GET"
