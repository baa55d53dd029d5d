"""The experiments' results as tables: ours, the ratio to one connection, and what was published. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from partisan_actors.cli.bench.paper.plan import ONE, Setting
from partisan_actors.cli.bench.paper.published import ECHO_OPS, HEADLINES, KVS_OPS, LATENCY_MS, PUBLISHED_QUEUES
from partisan_actors.cli.bench.paper.results import Point
from partisan_actors.cli.table import plain_table

__all__ = ["ABOUT", "show", "size_text"]

PUBLISHED_ACTORS: Final = (16, 32, 64, 128)
PUBLISHED_PLACES: Final = {"one": 1, "affinity": 2}
ABOUT: Final = (
    "The baseline is ours on one connection, as most runtimes have it between two nodes; the ratios are to that. "
    "Latency is from sending a message to its acknowledgement. " + HEADLINES
)


def size_text(size: int) -> str:
    """``512 KiB`` and the like."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def show(experiment: str, points: Sequence[Point], left_out: Sequence[tuple[Setting, str]] = ()) -> str:
    """A table of all points of one experiment, and of what was not run and why, with the remarks that belong to it."""
    is_service = experiment in ("echo", "kvs")
    head = ["size", "RTT ms", "window", "actors", "connections", "median ms", "lowest-highest", "p99 ms", "ops/s"]
    head += ["x one", "published"]
    rows = [[*_cells(point), _ratio(point, points, by_rate=is_service), _published(point)] for point in points]
    rows += [[*_setting_cells(setting), *["-"] * (len(head) - 6), why] for setting, why in left_out]
    return f"{plain_table(head, rows)}\n{ABOUT}"


def _setting_cells(setting: Setting) -> list[str]:
    how = setting.configuration
    return [
        size_text(setting.size),
        f"{setting.wire.round_trip_ms:g}",
        size_text(setting.wire.window_bytes),
        str(setting.actors),
        how.name if how.name in ("one", "defaults") else f"{how.name} ({how.channels} x {how.lanes})",
    ]


def _cells(point: Point) -> list[str]:
    return [
        *_setting_cells(point.setting),
        f"{point.median_s * 1e3:.1f}",
        f"{point.lowest_s * 1e3:.1f}-{point.highest_s * 1e3:.1f}",
        f"{point.p99_s * 1e3:.1f}",
        f"{point.per_second:.1f}",
    ]


def _ratio(point: Point, points: Iterable[Point], *, by_rate: bool) -> str:
    """How many times better than one connection at the same size, wire and number of actors."""
    mine = (point.setting.size, point.setting.wire, point.setting.actors)
    for other in points:
        theirs = (other.setting.size, other.setting.wire, other.setting.actors)
        if other.setting.configuration.name == ONE.name and theirs == mine:
            gain = point.per_second / other.per_second if by_rate else other.median_s / point.median_s
            return f"{gain:.2f}"
    return ""


def _published(point: Point) -> str:
    setting, how = point.setting, point.setting.configuration
    key = (setting.size, round(setting.wire.round_trip_ms))
    if point.experiment == "queues":
        return f"{PUBLISHED_QUEUES[how.lanes]:g} ms" if how.lanes in PUBLISHED_QUEUES and setting.actors == 128 else ""
    if setting.actors not in PUBLISHED_ACTORS:
        return ""
    place = PUBLISHED_ACTORS.index(setting.actors)
    if point.experiment == "latency" and key in LATENCY_MS and how.name in PUBLISHED_PLACES:
        return f"{LATENCY_MS[key][PUBLISHED_PLACES[how.name]][place]:g} ms"
    service = {"echo": ECHO_OPS, "kvs": KVS_OPS}.get(point.experiment, {})
    if key in service and how.name == "affinity":
        erlang, theirs = service[key]
        return f"{theirs[place]:g}/s (Erlang {erlang[place]:g}/s)"
    return ""
