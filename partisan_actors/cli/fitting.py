"""How a table is made to fit a terminal: sentences are folded, then columns are left out; no word is cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["GAP", "SENTENCE_MIN", "fitted"]

GAP: Final = 2
# A column with blanks in it may be folded at these, to no less than this.
SENTENCE_MIN: Final = 20


def fitted(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, spare: Sequence[str]) -> dict[int, int]:
    """The columns that are shown, by their places, and how wide each is.

    Those that are left out are the `spare` ones, the first of them first, and then those on the right; but the first
    column stays. A heading is folded at its blanks.
    """
    columns = [[row[place] for row in rows] for place in range(len(headings))]
    natural = [
        max(_longest_word(heading), *(map(len, column)), 0) for heading, column in zip(headings, columns, strict=True)
    ]
    least = [
        max(_longest_word(heading), SENTENCE_MIN, *map(_longest_word, column)) if _is_sentence(column) else wide
        for heading, column, wide in zip(headings, columns, natural, strict=True)
    ]
    order = [place for name in spare for place, heading in enumerate(headings) if heading == name]
    order += [place for place in reversed(range(1, len(headings))) if place not in order]
    kept = dict(enumerate(natural))
    for place in order:
        if _total(min(natural[each], least[each]) for each in kept) <= width:
            break
        del kept[place]
    while _total(kept.values()) > width:
        widest = max(kept, key=lambda place: kept[place] - least[place])
        if kept[widest] <= least[widest]:
            break
        kept[widest] -= 1
    return kept


def _total(widths: Iterable[int]) -> int:
    each = list(widths)
    return sum(each) + GAP * (len(each) - 1)


def _is_sentence(column: Sequence[str]) -> bool:
    return any(" " in cell and len(cell) > SENTENCE_MIN for cell in column)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)
