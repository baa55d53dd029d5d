"""What a supervisor does about the end of a child, without any actor."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors import ConfigError
from partisan_actors.util.supervision import STRATEGIES, Child, Restarts, is_restarted, with_those_that_end_too


class Made:
    """Stands for an actor class."""

    def remote(self) -> None: ...


@pytest.mark.parametrize("reason", ["normal", "shutdown", "killed", "boom", "node down: it crashed", "noproc"])
def test_a_permanent_child_is_always_made_again_a_temporary_one_never_a_transient_one_after_a_failure(
    reason: str,
) -> None:
    assert is_restarted("permanent", reason)
    assert not is_restarted("temporary", reason)
    assert is_restarted("transient", reason) is (reason not in ("normal", "shutdown"))


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("one_for_one", {"a": "a", "b": "b", "c": "c"}), ("one_for_all", dict.fromkeys("abc", "abc"))],
)
def test_who_ends_too_is_a_matter_of_the_strategy(strategy: str, expected: dict[str, str]) -> None:
    assert {ended: "".join(with_those_that_end_too(strategy, "abc", ended)) for ended in "abc"} == expected


def test_with_rest_for_one_those_end_that_were_started_later() -> None:
    found = {ended: "".join(with_those_that_end_too("rest_for_one", "abc", ended)) for ended in "abc"}

    assert found == {"a": "abc", "b": "bc", "c": "c"} and len(STRATEGIES) == 3


def test_so_many_restarts_are_allowed_within_the_period_and_old_ones_do_not_count() -> None:
    restarts = Restarts(2, 5.0)

    assert [restarts.allows(now) for now in (0.0, 1.0, 2.0)] == [True, True, False]

    restarts = Restarts(2, 5.0)
    assert [restarts.allows(now) for now in (0.0, 4.0, 8.0, 12.0, 12.5)] == [True, True, True, True, False]
    assert not Restarts(0, 1.0).allows(0.0)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"id": ""}, "id"),
        ({"actor": Made}, ""),
        ({"actor": 7}, "actor"),
        ({"restart": "always"}, "restart"),
        ({"shutdown": -1}, "shutdown"),
        ({"shutdown": "gently"}, "shutdown"),
        ({"shutdown": True}, "shutdown"),
        ({"ready": 5}, "ready"),
    ],
    ids=str,
)
def test_a_child_that_makes_no_sense_is_refused_by_name(wrong: dict[str, Any], field: str) -> None:
    given: dict[str, Any] = {"id": "a", "actor": Made(), **wrong}
    if not field:
        Child(**given)
        return
    with pytest.raises(ConfigError, match=field):
        Child(**given)


@pytest.mark.parametrize(("intensity", "period_s"), [(-1, 1.0), (1.5, 1.0), (True, 1.0), (1, 0), (1, float("inf"))])
def test_bounds_that_make_no_sense_are_refused(intensity: Any, period_s: Any) -> None:
    with pytest.raises(ConfigError):
        Restarts(intensity, period_s)
