"""`map_unordered`: so many calls at once, and results as they come."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.util import map_unordered

pytestmark = pytest.mark.usefixtures("cluster")


@pa.task
def square(value: int) -> int:
    if value < 0:
        raise ValueError(value)
    return value * value


@pa.actor
class Squares:
    def square(self, value: int) -> int:
        return value * value


def test_every_item_has_its_result() -> None:
    assert sorted(map_unordered(square, range(20), at_once=4)) == [value * value for value in range(20)]
    assert sorted(map_unordered(Squares.remote().square, range(5))) == [0, 1, 4, 9, 16]
    assert list(map_unordered(square, [])) == []


def test_an_endless_iterable_is_read_only_as_far_as_needed() -> None:
    read = itertools.count()

    results = map_unordered(square, read, at_once=3)
    taken = [next(results) for _ in range(4)]

    assert len(taken) == 4
    assert next(read) == 4 + 3 - 1


def test_an_error_comes_where_the_result_would() -> None:
    results = map_unordered(square, [-1, 2], at_once=1)

    with pytest.raises(ValueError, match="-1"):
        next(results)


@pytest.mark.parametrize(
    ("function", "at_once", "error"), [(square, 0, ValueError), (square, True, ValueError), (len, 1, TypeError)]
)
def test_what_makes_no_sense_is_refused(function: Any, at_once: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        map_unordered(function, [], at_once=at_once)
