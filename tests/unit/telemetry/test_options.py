"""The choices about tracing."""

from __future__ import annotations

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.options import LEVELS, TracingOptions


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_one_of_the_known(level: str) -> None:
    assert TracingOptions(level=level).level == level


def test_another_level_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match="calls or hops"):
        TracingOptions(level="everything")
