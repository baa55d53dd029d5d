"""Seeds for `pytest.mark.parametrize`: the quick suite runs the first few, the slow one all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def quick_first(count: int, seeds: Iterable[int]) -> list[Any]:
    """Parameters, of which all but the first `count` are marked slow."""
    return [
        pytest.param(seed, marks=() if number < count else pytest.mark.slow, id=str(seed))
        for number, seed in enumerate(seeds)
    ]
