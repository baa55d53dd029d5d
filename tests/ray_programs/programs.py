"""All programs by name, what Ray gave when they ran on it, and where that is not what is wanted here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.ray_programs import actors, beside, classics, errors, objects, placing, tasks
from tests.ray_programs.face import Sights

__all__ = ["PROGRAMS", "RECORDED", "agrees", "recorded", "seen_by"]

# Made by ``RAY_MODULE=ray python -m tests.ray_programs``, where Ray is installed.
RECORDED: Final = Path(__file__).with_name("recorded.json")
_MODULES: Final = (classics, actors, tasks, objects, errors, placing, beside)

PROGRAMS: Final[dict[str, Callable[[], Sights]]] = {
    f"{module.__name__.rpartition('.')[2]}.{program.__name__}": program
    for module in _MODULES
    for program in module.PROGRAMS
}


def seen_by(program: Callable[[], Sights]) -> dict[str, Any]:
    """What it sees, as JSON would tell it."""
    seen: dict[str, Any] = {}
    for what, value in program():
        assert what not in seen, what
        seen[what] = json.loads(json.dumps(value))
    return seen


def recorded() -> dict[str, dict[str, Any]]:
    """What each program saw on Ray."""
    seen: dict[str, dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))["seen"]
    return seen


def agrees(ours: Any, rays: Any) -> bool:
    """Whether they are the same; an error of ours has to be caught by every name by which Ray's is."""
    if isinstance(rays, dict) and isinstance(ours, dict):
        if rays.keys() == {"raised"} == ours.keys():
            return set(rays["raised"]) <= set(ours["raised"])
        return rays.keys() == ours.keys() and all(agrees(ours[key], rays[key]) for key in rays)
    if isinstance(rays, list) and isinstance(ours, list):
        return len(ours) == len(rays) and all(map(agrees, ours, rays))
    return bool(ours == rays)
