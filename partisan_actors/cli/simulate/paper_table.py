"""The table of a reproduced experiment: ours, the published values and theory's, with the verdict of each band."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from partisan_actors.simulation.papers.judging import Result, Row

__all__ = ["HEADINGS", "cells", "doubts", "page"]

HEADINGS: Final = ("", "ours", "seeds' range", "published", "theory", "band", "verdict")


def cells(result: Result) -> list[list[str]]:
    """The rows of the table as text. One that holds no band always shows, whatever else is left out of the table."""
    return [_cells(row) for row in result.rows if row.values and (row.quantity.in_table or row in result.failed)]


def doubts(result: Result) -> list[str]:
    """Why published values of the table are not to be relied on, each reason once, with the values it is about."""
    reasons: dict[str, list[str]] = {}
    for row in result.rows:
        if row.published is not None and row.published.doubt and row.quantity.in_table:
            reasons.setdefault(row.published.doubt, []).append(_text(row.published.value, row.quantity.digits))
    return [f"(?) {', '.join(values)}: {reason}." for reason, values in reasons.items()]


def page(results: Sequence[Result], pictures: Mapping[str, str]) -> str:
    """The results as a page in Markdown; `pictures` names the files of those that were drawn, as seen from the page."""
    return "\n".join(
        ["# The papers again: results", "", "Written by `partisan simulate paper --markdown`.", ""]
    ) + "".join(_section(result, pictures.get(result.paper)) for result in results)


def _section(result: Result, picture: str | None) -> str:
    size = f"{result.nodes:,} nodes, {len(result.seeds)} seeds"
    lines = ["", f"## {result.title}", "", f"`partisan simulate paper {result.paper}`: {size}.", ""]
    if picture is not None:
        lines += [f"![Ours solid, as published dashed, theory dotted]({picture})", ""]
    lines += [_line(HEADINGS), _line(["---"] * len(HEADINGS)), *(_line(row) for row in cells(result)), ""]
    lines += [f"* {note}" for note in [*result.notes, *doubts(result)]]
    return "\n".join(lines) + "\n"


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(row)} |"


def _cells(row: Row) -> list[str]:
    digits, published, band = row.quantity.digits, row.published, row.band
    low, high = min(row.values), max(row.values)
    return [
        row.quantity.label,
        _text(row.mean, digits),
        "" if low == high else f"{_text(low, digits)} - {_text(high, digits)}",
        "" if published is None else _text(published.value, digits) + (" (?)" if published.doubt else ""),
        _text(row.quantity.oracle, digits),
        "" if band is None else _band(band.low, band.high, digits),
        str(row.verdict),
    ]


def _band(low: float, high: float, digits: int) -> str:
    if low == high:
        return _text(low, digits)
    if high == math.inf:
        return f">= {_text(low, digits)}"
    return f"{_text(low, digits)} - {_text(high, digits)}"


def _text(value: float | None, digits: int) -> str:
    if value is None or not math.isfinite(value):
        return ""
    return f"{value:,.{digits}f}"
