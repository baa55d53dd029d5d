"""What users test their own actors and membership strategies with.

Floor: below `cli`, above everything else; it assumes of the package what any user of it may. `plugin` is loaded by
pytest itself, so nothing is imported here before it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partisan_actors.testing.plugin import simulated

__all__ = ["simulated"]


def __getattr__(name: str) -> Any:
    if name == "simulated":
        from partisan_actors.testing.plugin import simulated

        return simulated
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
