"""What nodes have measured, put together for tables: methods, channels and processes, in all and a second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from partisan_actors.api.observer import Answer
from partisan_actors.telemetry.histogram import merged, quantile

__all__ = [
    "bytes_text",
    "calls_text",
    "method_rows",
    "ordered",
    "seconds_text",
    "since",
    "with_quantiles",
]

_COUNTS: Final = ("calls", "errors", "in_flight")
_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def method_rows(answered: Iterable[Answer]) -> list[dict[str, Any]]:
    """The rows of `Metering.methods` of several nodes as one row for each method, with the names of its nodes."""
    rows: dict[tuple[str, str, str], list[tuple[str, Mapping[str, Any]]]] = {}
    for answer in answered:
        for row in answer.value:
            rows.setdefault((row["class"], row["method"], row["kind"]), []).append((answer.name, row))
    return [
        {
            "class": class_name,
            "method": method,
            "kind": kind,
            **{name: sum(row[name] for _, row in same) for name in _COUNTS},
            **{name: merged(row[name] for _, row in same) for name in ("wait", "run")},
            "nodes": sorted(name for name, _ in same),
        }
        for (class_name, method, kind), same in rows.items()
    ]


def with_quantiles(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with `wait_p50_s`, `run_p99_s` and so on, instead of histograms; None where nothing was timed."""
    told = {key: value for key, value in row.items() if key not in ("wait", "run")}
    for name in ("wait", "run"):
        told |= {f"{name}_{share}_s": quantile(row[name]["buckets"], part) for share, part in _SHARES.items()}
    return told


def since(
    before: Iterable[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]], took_s: float
) -> list[dict[str, Any]]:
    """Rows of methods as they would be had they begun to count `took_s` seconds ago, when they were `before`.

    They have `calls_per_s` and `errors_per_s`, too. A row that has less than before has begun anew, and is left as it
    is.
    """
    known = {_key(row): row for row in before}
    found = []
    for row in rows:
        earlier = known.get(_key(row))
        new = dict(row)
        if earlier is not None and earlier["calls"] <= row["calls"] and earlier["errors"] <= row["errors"]:
            new |= {name: row[name] - earlier[name] for name in ("calls", "errors")}
            new |= {name: _less(row[name], earlier[name]) for name in ("wait", "run")}
        found.append(new | {f"{name}_per_s": new[name] / took_s for name in ("calls", "errors")})
    return found


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["class"], row["method"], row["kind"]


def _less(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    # Of a node that is gone, buckets are gone as well, although others have grown by more.
    buckets = [max(0, new - old) for new, old in zip(now["buckets"], before["buckets"], strict=True)]
    return {"count": sum(buckets), "sum": max(0.0, now["sum"] - before["sum"]), "buckets": buckets}


def ordered(rows: Sequence[dict[str, Any]], column: str, *, names: Sequence[str]) -> list[dict[str, Any]]:
    """By that column, the most first; texts from A, and what is alike by `names`."""
    found = sorted(rows, key=lambda row: tuple(str(row[name]) for name in names))
    if column in names:
        return sorted(found, key=lambda row: str(row[column]))
    return sorted(found, key=lambda row: row[column] or 0, reverse=True)


def seconds_text(seconds: float | None) -> str:
    """A duration with three digits, in the unit in which people say it; empty when there is none."""
    if seconds is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def calls_text(facts: Mapping[str, Any]) -> str:
    """How many calls a second there are, and how long they run."""
    times = (f"{name} {seconds_text(facts[f'run_{name}_s']) or '-'}" for name in ("p50", "p99"))
    return ", ".join((f"{facts['calls_per_s']:.4g} calls/s", *times))


def bytes_text(size: float) -> str:
    """So many bytes, in the unit in which people say it."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} B"
