"""Who takes part: each framework's name, where its entrant is, and what has to be installed for it."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from partisan_actors.cli.bench.frameworks.entrant import Entrant

__all__ = ["ENTRANTS", "FLOOR", "OURS", "OURS_AWAITED", "Listed"]

OURS: Final = "partisan_actors"
OURS_AWAITED: Final = "partisan_actors, await"
FLOOR: Final = "floor"


@dataclass(frozen=True, slots=True)
class Listed:
    """An entrant that may not be installed. `program` is a command, `package` something to import."""

    name: str
    module: str
    kind: str
    package: str = ""
    program: str = ""
    remedy: str = ""

    @property
    def absence(self) -> str | None:
        """Why it cannot take part, and what to do, or None."""
        if self.package and find_spec(self.package) is None:
            return f"{self.package} is not installed; {self.remedy}"
        if self.program and shutil.which(self.program) is None:
            return f"there is no {self.program!r} on PATH; {self.remedy}"
        return None

    def load(self) -> Entrant:
        """Import and make it."""
        entrant: Entrant = getattr(importlib.import_module(f"{__package__}.{self.module}"), self.kind)()
        return entrant


EXTRA: Final = "pip install 'partisan-actors[bench]'"
ENTRANTS: Final = {
    each.name: each
    for each in (
        Listed(FLOOR, "bare", "Floor"),
        Listed(OURS, "ours", "Ours", package="numpy", remedy=EXTRA),
        Listed(OURS_AWAITED, "ours", "Awaited", package="numpy", remedy=EXTRA),
        Listed("ray", "with_ray", "Ray", package="ray", remedy=EXTRA),
        Listed("xoscar", "with_xoscar", "Xoscar", package="xoscar", remedy=EXTRA),
        Listed("dask", "with_dask", "Dask", package="distributed", remedy=EXTRA),
        Listed("erlang", "with_erlang", "Erlang", program="erlc", remedy="on Debian: apt install erlang-base"),
    )
}
