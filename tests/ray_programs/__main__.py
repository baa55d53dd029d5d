"""Runs the programs, all or those named, and prints what they see as JSON: ``python -m tests.ray_programs tasks``.

``RAY_MODULE=ray python -m tests.ray_programs --record`` runs them on Ray itself, and writes what our tests expect.
"""

from __future__ import annotations

import json
import platform
import signal
import sys
import time
from typing import Any, Final

from tests.ray_programs.face import MODULE, ray
from tests.ray_programs.programs import PROGRAMS, RECORDED, recorded, seen_by

PROGRAM_S: Final = 120
OPTIONS: Final[dict[str, Any]] = {"num_cpus": 4, "num_gpus": 0, "resources": {"widget": 2}, "labels": {"zone": "a"}}
OF_RAY: Final[dict[str, Any]] = {"include_dashboard": False, "object_store_memory": 200_000_000, "log_to_driver": False}


def too_long(*_: object) -> None:
    raise RuntimeError(f"a program took longer than {PROGRAM_S} s")


def run(names: list[str], records: bool) -> dict[str, Any]:
    """What those programs see."""
    seen = {}
    begin()
    for number, name in enumerate(names):
        module = name.partition(".")[0]
        if number and module != names[number - 1].partition(".")[0]:  # what others left behind holds up nobody
            ray.shutdown()
            begin()
        begun = time.monotonic()
        signal.alarm(PROGRAM_S)
        seen[name] = seen_by(PROGRAMS[name])
        signal.alarm(0)
        print(f"{name}: {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
        if records:
            record(name, seen[name])
    ray.shutdown()
    return seen


def begin() -> None:
    """A new session."""
    ray.init(logging_level="ERROR", **OPTIONS, **(OF_RAY if MODULE == "ray" else {}))


def record(name: str, seen: dict[str, Any]) -> None:
    """Keep it; what is kept of others stays."""
    known = recorded() if RECORDED.exists() else {}
    known[name] = seen
    of = {"ray": ray.__version__, "python": platform.python_version()}
    inorder = {each: known[each] for each in PROGRAMS if each in known}
    RECORDED.write_text(json.dumps({**of, "seen": inorder}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, too_long)
    records = "--record" in sys.argv
    wanted = tuple(argument for argument in sys.argv[1:] if argument != "--record")
    seen = run([name for name in PROGRAMS if not wanted or name.startswith(wanted)], records)
    if not records:
        print(json.dumps(seen, indent=1))
