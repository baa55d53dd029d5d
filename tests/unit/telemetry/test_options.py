"""The choices about tracing."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.options import LEVELS, SCOPES, TracingOptions


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_one_of_the_known(level: str) -> None:
    assert TracingOptions(level=level).level == level


def test_another_level_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match="off, calls, hops or full"):
        TracingOptions(level="everything")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"scopes": "calls"}, "scopes"),
        ({"scopes": ["calls", "everything"]}, "lifecycle, objects, overlay"),
        ({"tell_correlation": "none"}, "parent or link"),
        ({"traces_per_second": 0}, "traces_per_second"),
        ({"traces_per_second": float("inf")}, "traces_per_second"),
        ({"traces_per_second": True}, "traces_per_second"),
        ({"keep_slower_s": -1}, "keep_slower_s"),
        ({"keep_slower_s": "1"}, "keep_slower_s"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        TracingOptions(**wrong)


def test_every_scope_but_the_overlay_is_on_unless_it_is_left_out() -> None:
    assert sorted(TracingOptions().scopes) == ["calls", "lifecycle", "objects"]
    assert sorted(SCOPES) == ["calls", "lifecycle", "objects", "overlay"]
