"""What users test their own actors and membership strategies with.

Floor: below `cli`, above everything else; it assumes of the package what any user of it may. `plugin` is loaded by
pytest itself, so nothing is imported here before it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partisan_actors.faults.omissions import Exploration, Omissions, explore
    from partisan_actors.testing.plugin import simulated

__all__ = ["Exploration", "Omissions", "explore", "simulated"]


def __getattr__(name: str) -> Any:
    if name == "simulated":
        from partisan_actors.testing.plugin import simulated

        return simulated
    if name in __all__:
        from partisan_actors.faults import omissions

        return getattr(omissions, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
