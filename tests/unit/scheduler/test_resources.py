"""Amounts are exact, options are checked, and a pool neither leaks nor goes below zero."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.scheduler.pool import Pool
from partisan_actors.scheduler.resources import AMOUNT_MAX, NOTHING, Resources


def test_ten_tenths_are_one_whole() -> None:
    tenth = Resources.of(num_cpus=0.1)

    total = NOTHING
    for _ in range(10):
        total += tenth

    assert total == Resources.of(num_cpus=1)


@pytest.mark.parametrize("parts", [3, 6, 7, 9])
def test_equal_shares_of_one_gpu_fit_on_it_together(parts: int) -> None:
    pool = Pool(Resources.of(num_gpus=1))

    assert all(pool.acquire(number, Resources.of(num_gpus=1 / parts)) for number in range(parts))


@pytest.mark.parametrize(
    ("amount", "same"),
    [(0.7 + 0.1, 0.8), (0.1 + 0.2, 0.3), (0.29, 0.29), (1.1 * 3, 3.3), (Fraction(1, 4), 0.25), (2.0, 2)],
)
def test_the_last_bit_of_a_float_does_not_count(amount: float, same: float) -> None:
    assert Resources.of(num_cpus=amount) == Resources.of(num_cpus=same)


def test_every_kind_of_resource_keeps_its_name() -> None:
    resources = Resources.of(num_cpus=2, num_gpus=0.5, memory=1024, resources={"scanner": 3})

    assert resources.plain() == {"num_cpus": 2, "num_gpus": 0.5, "memory": 1024, "scanner": 3}


def test_what_is_told_to_other_nodes_comes_back_exactly() -> None:
    resources = Resources.of(num_cpus=0.3333, memory=2**43, resources={"tape": 7.0001})

    assert Resources.parse(resources.plain()) == resources


def test_zero_of_something_is_the_same_as_not_naming_it() -> None:
    assert Resources.of(num_cpus=0, resources={"scanner": 0}) == NOTHING
    assert not Resources.of(num_cpus=0)


@pytest.mark.parametrize("amount", [-1, -0.5, math.nan, math.inf, True, "2", None, 1j, 0.00001, AMOUNT_MAX + 1])
def test_an_amount_that_is_not_valid_is_refused_by_name(amount: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Resources.of(resources={"scanner": amount})

    assert caught.value.field == "resources['scanner']"
    assert "a number from 0" in caught.value.allowed


@pytest.mark.parametrize("name", ["num_cpus", "memory", "CPU", "GPU", "", "  ", 3])
def test_a_custom_resource_cannot_take_a_name_that_means_something_else(name: Any) -> None:
    with pytest.raises(ConfigError, match="custom name"):
        Resources.of(resources={name: 1})


def test_custom_resources_are_a_mapping() -> None:
    with pytest.raises(ConfigError, match="mapping of names to amounts"):
        Resources.of(resources=["scanner"])  # type: ignore[arg-type]  # the mistake that is tested


def test_a_request_fits_where_there_is_enough_of_everything() -> None:
    request = Resources.of(num_cpus=2, num_gpus=1)

    assert request.fits(Resources.of(num_cpus=2, num_gpus=4, memory=1))
    assert not request.fits(Resources.of(num_cpus=8))
    assert NOTHING.fits(NOTHING)


def test_a_shortfall_names_only_what_is_missing() -> None:
    request = Resources.of(num_cpus=4, num_gpus=1, memory=10)

    assert request.shortfall(Resources.of(num_cpus=1.5, memory=20)) == Resources.of(num_cpus=2.5, num_gpus=1)
    assert request.shortfall(request) == NOTHING


def test_taking_more_than_there_is_raises_and_says_what_is_short() -> None:
    with pytest.raises(ValueError, match="short of 1 CPU"):
        Resources.of(num_cpus=1) - Resources.of(num_cpus=2)


def test_the_share_in_use_is_that_of_the_scarcest_resource_asked_for() -> None:
    total = Resources.of(num_cpus=4, num_gpus=2, memory=100)
    available = Resources.of(num_cpus=3, num_gpus=1)

    assert Resources.of(num_cpus=1).share_used(total, available) == 0.25
    assert Resources.of(num_cpus=1, num_gpus=1).share_used(total, available) == 0.5
    assert NOTHING.share_used(total, available) == 0.0


def test_resources_print_as_people_write_them() -> None:
    assert str(Resources.of(num_cpus=1.5, num_gpus=1, memory=2**31)) == "2 GiB memory, 1.5 CPU, 1 GPU"
    assert str(NOTHING) == "nothing"
