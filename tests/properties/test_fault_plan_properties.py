"""Promises of fault plans about all inputs: JSON there and back, errors of one kind, shrinking that ends."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import OPERATIONS
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.faults.shrink import shrink
from partisan_actors.simulation.swarm import draw_plan

PLANS = st.integers(min_value=0, max_value=2**32).map(lambda seed: draw_plan(random.Random(seed)))

FIELDS = (
    "until_s", "rate", "delay_s", "jitter_s", "window_s", "pause_s", "input_s", "count", "senders", "receivers", "side",
    "other", "nodes", "one_way", "half_open", "kinds", "surplus",
)  # fmt: skip  # all the names there are
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["all", "rest", "3 random", "30%"]),
    st.lists(st.one_of(st.text(max_size=4), st.integers()), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
ALMOST = st.fixed_dictionaries(
    {"do": st.sampled_from([*OPERATIONS, "else"]), "at_s": st.sampled_from([0, 1.5, -1, "x"])},
    optional=dict.fromkeys(FIELDS, VALUES),
)


def plan_or_error(data: object) -> FaultPlan | ConfigError:
    try:
        return FaultPlan.from_data(data)
    except ConfigError as error:
        return error


@given(PLANS)
def test_every_plan_survives_json(plan: FaultPlan) -> None:
    assert FaultPlan.from_json(plan.to_json()) == plan
    assert FaultPlan.from_data(json.loads(plan.to_json())).to_json() == plan.to_json()


@given(st.lists(ALMOST, max_size=3), st.one_of(st.just([]), VALUES))
def test_whatever_is_given_for_a_plan_is_one_or_gets_a_config_error_that_says_where(
    operations: list[dict[str, Any]], spared: object
) -> None:
    found = plan_or_error({"version": 1, "operations": operations, "spared": spared})

    if isinstance(found, ConfigError):
        assert found.field.startswith(("operations[", "spared")) and found.allowed
    else:
        assert FaultPlan.from_json(found.to_json()) == found


@given(VALUES | st.lists(VALUES, max_size=2) | st.dictionaries(st.sampled_from(["version", "operation"]), VALUES))
def test_whatever_is_no_plan_at_all_gets_a_config_error(data: object) -> None:
    found = plan_or_error(data)

    assert isinstance(found, ConfigError) and found.allowed


@settings(max_examples=50)
@given(PLANS, st.integers(min_value=0, max_value=2**32))
def test_shrinking_ends_with_a_plan_that_still_fails_and_is_no_larger(plan: FaultPlan, seed: int) -> None:
    kinds = random.Random(seed).sample(sorted({type(each).__name__ for each in plan.operations}), 1)

    def fails(candidate: FaultPlan) -> bool:
        return any(type(each).__name__ in kinds for each in candidate.operations)

    found = shrink(plan, fails)

    assert fails(found.plan) and len(found.plan.operations) == 1
    assert found.is_minimal
