"""Ray's options: which there are, which types they have, and what they are called here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.compat.ray.options import actor_options, call_options, method_options, task_options
from partisan_actors.compat.ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    NodeLabelSchedulingStrategy,
)

EACH = pytest.mark.parametrize("check", [task_options, actor_options, method_options])


@EACH
def test_an_option_that_there_is_not_is_a_value_error_that_lists_those_there_are(
    check: Callable[[dict[str, Any]], Any],
) -> None:
    with pytest.raises(ValueError, match=r"Invalid option keyword foo for .* Valid ones are \["):
        check({"foo": 1})


@pytest.mark.parametrize(
    ("check", "options"),
    [
        (task_options, {"num_cpus": "1"}),
        (task_options, {"num_cpus": True}),
        (task_options, {"max_retries": 1.5}),
        (task_options, {"resources": ["a"]}),
        (actor_options, {"name": 3}),
        (actor_options, {"max_restarts": None}),
        (actor_options, {"get_if_exists": "yes"}),
        (method_options, {"concurrency_group": 1}),
    ],
)
def test_a_wrong_type_is_a_type_error(check: Callable[[dict[str, Any]], Any], options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"The type of keyword {next(iter(options))!r} must be"):
        check(options)


@pytest.mark.parametrize(
    ("check", "options"),
    [
        (method_options, {"enable_task_events": False}),
        (method_options, {"tensor_transport": "nccl"}),
    ],
)
def test_what_is_not_supported_says_what_to_do_instead(
    check: Callable[[dict[str, Any]], Any], options: dict[str, Any]
) -> None:
    with pytest.raises(NotImplementedError, match=f"{next(iter(options))} is not supported: .+"):
        check(options)


def test_an_accelerator_is_a_label_and_what_is_not_to_be_traced_is_not() -> None:
    given = {"accelerator_type": "A100", "label_selector": {"zone": "a"}, "enable_task_events": False}

    assert task_options(given) == {
        "label_selector": {"zone": "a", "ray.io/accelerator-type": "A100"},
        "tracing": "off",
    }


def test_what_says_nothing_is_left_out() -> None:
    assert actor_options({"lifetime": "non_detached", "name": None, "enable_task_events": True}) == {}
    assert task_options({"num_cpus": 0, "max_retries": 0}) == {"num_cpus": 0, "max_retries": 0}


def test_names_and_strategies_are_translated() -> None:
    given = {
        "_generator_backpressure_num_objects": 4,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(b"node-1".hex(), soft=True),
    }

    assert task_options(given) == {
        "generator_backpressure": 4,
        "scheduling_strategy": pa.NodeAffinity("node-1", soft=True),
    }
    labels = NodeLabelSchedulingStrategy(hard={"zone": pa.In("a")}, soft={"disk": pa.Exists()})
    assert labels.placement() == pa.NodeLabels({"zone": pa.In("a")}, {"disk": pa.Exists()})
    assert actor_options({"scheduling_strategy": "SPREAD"}) == {"scheduling_strategy": "SPREAD"}


@pytest.mark.parametrize("name", ["CPU", "GPU", "memory"])
def test_resources_with_an_option_of_their_own_are_refused_among_the_others(name: str) -> None:
    with pytest.raises(ValueError, match="keyword instead"):
        task_options({"resources": {name: 1}})


def test_calls_have_the_options_of_methods_and_a_name() -> None:
    assert call_options({"name": "a call", "num_returns": 2, "concurrency_group": "io"}) == {
        "num_returns": 2,
        "concurrency_group": "io",
    }
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        call_options({"foo": 1})


def test_the_order_of_calls_is_kept_whatever_is_said() -> None:
    assert actor_options({"allow_out_of_order_execution": True}) == {}


@pytest.mark.parametrize(
    "options", [{"num_returns": "many"}, {"scheduling_strategy": 5}, {"label_selector": {"zone": 5}}]
)
def test_what_has_another_type_is_a_type_error(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        task_options(options)
