"""What `Profiles` answers in other forms: the hottest functions, folded stacks, and the file of speedscope."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

__all__ = ["CLOCKS", "clock_of", "folded", "hottest", "own", "place_text", "speedscope"]

# By which time a profile is drawn: what threads computed, or for how long they were seen somewhere, waiting too.
CLOCKS: Final = ("cpu", "time")
SCHEMA: Final = "https://www.speedscope.app/file-format-schema.json"
US: Final = 1_000_000
_LIBRARY: Final = re.compile(r".*/(?:(?:site|dist)-packages|lib/python3\.\d+)/|.*/(?=partisan_actors/)")


def clock_of(profile: Mapping[str, Any], wanted: str | None = None) -> str:
    """The time by which it is drawn: that one, else processor time, if the system of the node tells it."""
    return wanted or ("cpu" if profile["has_cpu"] else "time")


def seconds_of(profile: Mapping[str, Any], clock: str) -> Callable[[Mapping[str, Any]], float]:
    """What tells how many seconds a row stands for, with what it calls."""
    if clock == "cpu":
        return lambda row: float(row["cpu_s"])
    each = profile["seconds"] / max(1, profile["samples"])
    return lambda row: float(row["samples"] * each)


def own(profile: Mapping[str, Any], clock: str) -> list[float]:
    """The seconds of each row without what it calls, which has rows of its own."""
    seconds = seconds_of(profile, clock)
    left = [seconds(row) for row in profile["frames"]]
    for row in profile["frames"]:
        if row["parent"] >= 0:
            left[row["parent"]] -= seconds(row)
    return [round(max(0.0, each), 9) for each in left]


def hottest(profile: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each function, wherever it was called from: its seconds of both clocks, own and with callees.

    What a function that calls itself takes is counted once.
    """
    rows: dict[tuple[str, str, int], dict[str, Any]] = {}
    frames: Sequence[Mapping[str, Any]] = profile["frames"]
    above: list[frozenset[tuple[str, str, int]]] = []
    clocks = [(clock, own(profile, clock), seconds_of(profile, clock)) for clock in CLOCKS]
    for place, frame in enumerate(frames):
        key = (frame["function"], frame["file"], frame["line"])
        callers = above[frame["parent"]] if frame["parent"] >= 0 else frozenset()
        above.append(callers | {key})
        if not frame["file"]:  # a thread, or all of them
            continue
        row = rows.get(key)
        if row is None:
            row = rows[key] = {name: frame[name] for name in ("function", "file", "line", "is_users")}
            row |= {f"{clock}_{which}_s": 0.0 for clock in CLOCKS for which in ("own", "total")}
        for clock, owns, seconds in clocks:
            row[f"{clock}_own_s"] += owns[place]
            if key not in callers:
                row[f"{clock}_total_s"] += seconds(frame)
    return list(rows.values())


def folded(profile: Mapping[str, Any], clock: str) -> Iterator[str]:
    """A line for each stack, the outermost call first, with its microseconds: what flamegraph.pl and others read."""
    names: list[str] = []
    for frame, seconds in zip(profile["frames"], own(profile, clock), strict=True):
        name = _in_line(frame)
        caller = names[frame["parent"]] if frame["parent"] > 0 else ""
        names.append(f"{caller};{name}" if caller else name)
        if frame["parent"] >= 0 and round(seconds * US):
            yield f"{names[-1]} {round(seconds * US)}"


def speedscope(profile: Mapping[str, Any], clock: str, title: str) -> dict[str, Any]:
    """The document that https://www.speedscope.app opens, with a profile for each thread."""
    frames: Sequence[Mapping[str, Any]] = profile["frames"]
    numbers: dict[tuple[str, str, int], int] = {}
    stacks: list[list[int]] = []
    threads: dict[int, tuple[list[list[int]], list[float]]] = {}
    roots: list[int] = []
    for place, (frame, seconds) in enumerate(zip(frames, own(profile, clock), strict=True)):
        parent = frame["parent"]
        is_thread = parent == 0 and not frame["file"]
        roots.append(place if parent <= 0 and (parent < 0 or is_thread) else roots[parent])
        if parent < 0 or is_thread:
            stacks.append([])
        else:
            key = (frame["function"], frame["file"], frame["line"])
            stacks.append([*stacks[parent], numbers.setdefault(key, len(numbers))])
        if stacks[-1] and seconds > 0:
            samples, weights = threads.setdefault(roots[-1], ([], []))
            samples.append(stacks[-1])
            weights.append(seconds)
    return {
        "$schema": SCHEMA,
        "name": title,
        "exporter": "partisan_actors",
        "activeProfileIndex": 0,
        "shared": {"frames": [dict(zip(("name", "file", "line"), key, strict=True)) for key in numbers]},
        "profiles": [
            {
                "type": "sampled",
                "name": frames[root]["function"] if root else title,
                "unit": "seconds",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
            for root, (samples, weights) in sorted(threads.items(), key=lambda each: -sum(each[1][1]))
        ],
    }


def place_text(frame: Mapping[str, Any]) -> str:
    """The file, without the folder that libraries are in, and the line."""
    return f"{_LIBRARY.sub('', frame['file'])}:{frame['line']}"


def _in_line(frame: Mapping[str, Any]) -> str:
    name = f"{frame['function']} ({place_text(frame)})" if frame["file"] else frame["function"]
    return re.sub(r"[;\s]+", " ", name)
