"""Tests of what a dashboard may be told."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.errors import ConfigError


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"port": 70000},
        {"port": True},
        {"jaeger_url": "javascript:x"},
        {"host": ""},
        {"token": "short"},
        {"token": "with blanks " * 3},
    ],
)
def test_what_makes_no_sense_is_refused_and_a_token_is_not_repeated(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        DashboardOptions(**wrong)

    assert str(wrong.get("token", "---")) not in str(caught.value)


def test_who_can_be_reached_by_others_gets_a_token_and_who_cannot_needs_none() -> None:
    near, far = DashboardOptions("127.0.0.1").guarded(), DashboardOptions("0.0.0.0", read_only=True).guarded()

    assert near.token == ""
    assert len(far.token) >= 32 and far.read_only
    assert DashboardOptions("0.0.0.0", token="x" * 16).guarded().token == "x" * 16
    assert far.url(80) == f"http://127.0.0.1:80/?token={far.token}"
