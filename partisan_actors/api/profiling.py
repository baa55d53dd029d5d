"""Profiles of one node, asked for from outside: where its threads, or the methods of a class, spend their time."""

from __future__ import annotations

import asyncio
import os
from types import CodeType
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ActorNotFound, ConfigError
from partisan_actors.ids import ActorId

__all__ = ["PROFILES", "RATE_MAX", "SECONDS_MAX", "Profiles"]

PROFILES: Final = "profiles"
SECONDS_MAX: Final = 30.0
RATE_MAX: Final = 200
ONE: Final = "one at a time: another one is being taken on that node"


class Profiles:
    """Answers for one node, on a thread of its own, one profile at a time."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._is_busy = False
        system.serve(PROFILES, self)

    async def node(self, peer: Any, seconds: float, rate: int) -> dict[str, Any]:
        """All threads, looked at `rate` times a second. Raises ConfigError beyond the bounds, or while one is taken."""
        return await self._take(seconds, rate, frozenset(), {})

    async def actor(self, peer: Any, actor: str, seconds: float, rate: int) -> dict[str, Any]:
        """What runs below the methods of an actor's class: of all actors of that class on this node, which share code.

        Raises ActorNotFound and ConfigError.
        """
        try:
            cell = self._system.cell(ActorId.parse(actor))
        except ValueError as error:
            raise ConfigError("actor", actor, "the id of an actor, such as actor:node~1a/2") from error
        if cell is None:
            raise ActorNotFound(f"{actor} on node {self._system.me.name}")
        return await self._take(
            seconds, rate, _codes_of(cell.definition.cls), {"class": cell.definition.interface.class_name}
        )

    async def _take(
        self, seconds: float, rate: int, codes: frozenset[CodeType], facts: dict[str, Any]
    ) -> dict[str, Any]:
        if not 0 < seconds <= SECONDS_MAX:
            raise ConfigError("seconds", seconds, f"more than 0 and at most {SECONDS_MAX:g}")
        if not 0 < rate <= RATE_MAX:
            raise ConfigError("rate", rate, f"from 1 to {RATE_MAX} looks a second")
        if self._is_busy:
            raise ConfigError("profile", self._system.me.name, ONE)
        self._is_busy = True
        from partisan_actors.api.sampling import Sampler  # few nodes ever need it

        sampler = Sampler(1 / rate, codes)
        try:
            await asyncio.to_thread(sampler.run, seconds)
        finally:
            sampler.stop()
            self._is_busy = False
        return {"node": self._system.me.name, "pid": os.getpid(), **facts, **sampler.plain()}


def _codes_of(cls: type) -> frozenset[CodeType]:
    """The code of all functions that a class and those it is made from define, other than `object`."""
    found = set()
    for each in cls.__mro__[:-1]:
        for value in vars(each).values():
            made = getattr(value, "fget", None) or getattr(value, "__func__", value)
            made = getattr(made, "__wrapped__", made)
            code = getattr(made, "__code__", None)
            if isinstance(code, CodeType):
                found.add(code)
    return frozenset(found)
