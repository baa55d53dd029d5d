"""`Environment`: what the process of an isolated actor or task is given, beside what every process of its node has."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any, Final

from partisan_actors.ids import NodeId
from partisan_actors.values import dataclass

__all__ = ["NO_ENVIRONMENT", "Environment"]


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables, a working directory and folders of modules; the last two are named by the digests of their packages.

    `origin` is the node that has the packages first.
    """

    variables: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    py_modules: tuple[str, ...] = ()
    origin: NodeId | None = None

    @property
    def key(self) -> str:
        """Equal for environments that a process need not be changed between."""
        parts = repr((self.variables, self.working_dir, self.py_modules))
        return hashlib.blake2b(parts.encode(), digest_size=8).hexdigest()

    @property
    def packages(self) -> tuple[str, ...]:
        """The digests of all that has to be there before the process starts."""
        return (*([self.working_dir] if self.working_dir else []), *self.py_modules)

    def plain(self) -> dict[str, Any]:
        """As JSON can say it."""
        origin = list(self.origin) if self.origin is not None else None
        return {**asdict(self), "variables": dict(self.variables), "origin": origin}

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Environment:
        """The inverse of `plain`."""
        origin = NodeId(*plain["origin"]) if plain["origin"] is not None else None
        variables = tuple(plain["variables"].items())
        return cls(variables, plain["working_dir"], tuple(plain["py_modules"]), origin)


NO_ENVIRONMENT: Final = Environment()
