"""Small calls beside large arguments as a table, with figures that others have. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from partisan_actors.cli.bench.beside.load import BesideResult
from partisan_actors.cli.bench.beside.peers import PeerResult
from partisan_actors.cli.table import plain_table

__all__ = ["MEDIAN_RATIO_MAX", "P99_S_MAX", "keeps_bounds", "peers_table", "table"]

# What the default settings have to keep, on two cores that nobody else uses.
MEDIAN_RATIO_MAX: Final = 3.0
P99_S_MAX: Final = 0.005

HEADINGS: Final = (
    "configuration",
    "idle p50 us",
    "idle p99 us",
    "loaded p50 us",
    "loaded p99 us",
    "ratio of p50",
    "MiB/s",
    "verdict",
)
# Two cores, 16 arguments of 8 MiB outstanding, loopback; measured for this project with the systems as they come.
PUBLISHED: Final = (
    ("distributed Erlang, machine quiet", 2_100, 6_000),
    ("distributed Erlang, beside other work", 5_200, 37_000),
    ("Partisan (Erlang), one channel", 57_000, 83_000),
    ("Partisan (Erlang), channels apart", 2_900, 12_000),
)


def keeps_bounds(result: BesideResult) -> bool:
    """Whether the median and the 99th percentile beside the load are within what is promised."""
    return result.ratio < MEDIAN_RATIO_MAX and result.loaded.p99 < P99_S_MAX


def table(results: Sequence[BesideResult]) -> str:
    """Aligned columns, ours first, then what others take for the same."""
    rows: list[list[Any]] = [
        [
            result.configuration,
            _us(result.idle.median),
            _us(result.idle.p99),
            _us(result.loaded.median),
            _us(result.loaded.p99),
            f"{result.ratio:.1f}x",
            round(result.bytes_per_s / (1 << 20)),
            _verdict(result),
        ]
        for result in results
    ]
    rows += [[name, "-", "-", p50, p99, "-", "-", "-"] for name, p50, p99 in PUBLISHED]
    return plain_table(HEADINGS, rows)


def peers_table(results: Sequence[PeerResult]) -> str:
    """Aligned columns: calls alone, and beside each trouble."""
    head = ["beside", "alone p50 us", "alone p99 us", "beside p50 us", "beside p99 us", "ratio of p99", "times met"]
    rows: list[list[Any]] = [
        [
            result.trouble,
            _us(result.alone.median),
            _us(result.alone.p99),
            _us(result.beside.median),
            _us(result.beside.p99),
            f"{result.ratio:.1f}x",
            result.count,
        ]
        for result in results
    ]
    return plain_table(head, rows)


def _verdict(result: BesideResult) -> str:
    if result.configuration != "default":
        return "-"
    return "pass" if keeps_bounds(result) else "miss"


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
