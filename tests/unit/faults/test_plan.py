"""FaultPlan: JSON there and back, and errors that say where."""

from __future__ import annotations

import json

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import Crash, Cut, Join, Loss, Reset, Restart, Slow
from partisan_actors.faults.plan import OPERATIONS_MAX, FaultPlan

PLAN = FaultPlan(
    (
        Loss(1.0, 5.0, 0.25, senders="30%", kinds=("plumtree.gossip",)),
        Cut(2, 9.5, ("n1", "n2"), one_way=True),
        Crash(3.0, "2 random"),
        Restart(6.0),
        Slow(1.0, 2.0, "all", 0.01),
        Reset(4.0, ("n1",), half_open=True),
    ),
    spared=("n0",),
)


def test_a_plan_survives_json_and_leaves_defaults_out() -> None:
    text = PLAN.to_json()

    assert FaultPlan.from_json(text) == PLAN
    assert json.loads(text)["operations"][3] == {"do": "restart", "at_s": 6.0}
    assert text.count("\n") == len(PLAN.operations) + 2


def test_an_empty_plan_survives_too_and_ends_at_once() -> None:
    assert FaultPlan.from_json(FaultPlan().to_json()) == FaultPlan()
    assert FaultPlan().end_s == 0.0 and PLAN.end_s == 9.5


def operations(*changes: dict[str, object]) -> dict[str, object]:
    crash = {"do": "crash", "at_s": 1, "nodes": "1 random"}
    return {"version": 1, "operations": [*([crash] * 3), *changes]}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            operations({"do": "loss", "at_s": 0, "until_s": 2, "rate": 1.5}),
            "operations[3].rate = 1.5 is not valid: expected a number from 0 to 1",
        ),
        (
            operations({"do": "loss", "at_s": 2, "until_s": 2, "rate": 1}),
            "operations[3].until_s = 2 is not valid: expected more than at_s",
        ),
        (operations({"do": "loss", "at_s": 0, "until_s": 2}), "operations[3].rate = None"),
        (operations({"do": "meteor", "at_s": 0}), "operations[3].do = 'meteor' is not valid: expected loss, delay, "),
        (operations({"at_s": 0}), "operations[3].do = None"),
        (operations({"do": [], "at_s": 0}), "operations[3].do = []"),
        (operations({"do": "crash", "at_s": 0, "nodes": "many"}), "operations[3].nodes = 'many'"),
        (operations({"do": "crash", "at_s": "soon", "nodes": "all"}), "operations[3].at_s = 'soon'"),
        (operations({"do": "crash", "at_s": True, "nodes": "all"}), "operations[3].at_s = True"),
        (operations({"do": "crash", "at_s": float("nan"), "nodes": "all"}), "operations[3].at_s = nan"),
        (operations({"do": "crash", "at_s": 1, "node": "n1"}), "operations[3].node = 'n1' is not valid: expected for"),
        (operations({"do": "join", "at_s": 1, "count": 0}), "operations[3].count = 0"),
        (operations({"do": "join", "at_s": 1, "count": [3]}), "operations[3].count = (3,)"),
        ({"version": 1, "operations": ["crash"]}, "operations[0] = 'crash'"),
        ({"version": 1, "operations": {}}, "operations = {}"),
        ({"version": 1}, "operations = None"),
        ({"version": 2, "operations": []}, "version = 2 is not valid: expected 1"),
        ({"version": True, "operations": []}, "version = True"),
        ({"version": 1, "operations": [], "seed": 3}, "seed = 3 is not valid: expected one of version"),
        ({"version": 1, "operations": [], "spared": "n0"}, "spared = 'n0'"),
        ([], "plan = []"),
        (None, "plan = None"),
    ],
)
def test_an_error_says_where(data: object, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FaultPlan.from_data(data)

    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("text", "where"),
    [('{"version": 1,\n "operations": [}', "line 2, column 17"), ("", "line 1, column 1"), (b"\xff\xfe\xfd", "UTF-8"),
     ("[" * 100_000, "plan")],
)  # fmt: skip  # one case a line
def test_text_that_is_no_json_says_where(text: str | bytes, where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        FaultPlan.from_json(text)


def test_an_error_shows_no_more_of_a_value_than_fits_a_line() -> None:
    with pytest.raises(ConfigError) as caught:
        FaultPlan.from_data({"version": "1" * 10_000, "operations": []})
    with pytest.raises(ConfigError) as second:
        FaultPlan.from_data(operations({"do": "crash", "at_s": 1, "nodes": "x" * 10_000}))

    assert len(str(second.value)) < 300
    assert len(str(caught.value)) < 300


def test_a_plan_has_a_bound() -> None:
    with pytest.raises(ConfigError, match="at most"):
        FaultPlan((Join(0.0),) * (OPERATIONS_MAX + 1))


def test_operations_made_in_python_are_checked_too() -> None:
    with pytest.raises(ConfigError, match="rate = 2"):
        Loss(0.0, 1.0, 2)


def test_written_out_choices_replace_selectors_and_what_chose_nobody_goes() -> None:
    plan = PLAN.with_choices({0: {"senders": ("n4",)}, 2: {"nodes": ("n2", "n5")}, 3: {"nodes": ()}})

    assert plan.operations[:3] == (
        Loss(1.0, 5.0, 0.25, senders=("n4",), kinds=("plumtree.gossip",)),
        PLAN.operations[1],
        Crash(3.0, ("n2", "n5")),
    )
    assert plan.operations[3:] == PLAN.operations[4:] and plan.spared == PLAN.spared


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (
            FaultPlan((Join(1.0), Crash(1.0, ("n1", "N2")))),
            r"operations\[1\].nodes\[1\] = 'N2' is not valid: .* n0, n1$",
        ),
        (FaultPlan((Cut(0.0, 1.0, "all", ("n0", "x")),)), r"operations\[0\].other\[1\] = 'x' .* n0, n1, d$"),
        (FaultPlan((Loss(0.0, 1.0, 0.5, "all", ("n2",)),)), r"operations\[0\].receivers\[0\] = 'n2'"),
        (FaultPlan((Crash(1.0, ("d",)),)), r"operations\[0\].nodes\[0\] = 'd' is not valid: .* n0, n1$"),
        (FaultPlan((Loss(0.0, 1.0, 0.5, kinds=("a", "c")),)), r"operations\[0\].kinds\[1\] = 'c' .* messages .* a, b$"),
        (FaultPlan((), ("n9",)), r"spared\[0\] = 'n9'"),
    ],
)
def test_names_and_kinds_that_a_run_does_not_have_are_found_with_their_place(plan: FaultPlan, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        plan.check(["n0", "n1"], ["d"], ["a", "b"])


def test_names_that_a_run_has_and_those_that_chance_will_draw_are_right_and_kinds_need_not_be_known() -> None:
    plan = FaultPlan((Cut(0.0, 1.0, ("d", "n0"), "rest"), Crash(1.0, "3 random"), Crash(2.0, ("n1",))), ("n0",))

    plan.check(["n0", "n1"], ["d"], [])
    FaultPlan((Loss(0.0, 1.0, 0.5, kinds=("anything",)),)).check([])


def test_of_many_names_an_error_shows_some() -> None:
    with pytest.raises(ConfigError, match=r"n0, n1, .*, n29 and 70 more$"):
        FaultPlan((Crash(1.0, ("n100",)),)).check([f"n{number}" for number in range(100)])
