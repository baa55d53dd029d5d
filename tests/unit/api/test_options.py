"""Options of actors and tasks: what they take, and what is said to a mistake."""

from __future__ import annotations

import pytest

from partisan_actors.api.options import ActorOptions, TaskOptions
from partisan_actors.errors import ConfigError

BOTH = [ActorOptions(), TaskOptions()]


@pytest.mark.parametrize("options", BOTH)
@pytest.mark.parametrize("tracing", [None, "off", "calls", "full", 0.0, 0.01, 1.0])
def test_a_class_or_a_function_says_how_much_of_it_is_traced(
    options: ActorOptions | TaskOptions, tracing: object
) -> None:
    assert options.with_({"tracing": tracing}).tracing == tracing


@pytest.mark.parametrize("options", BOTH)
@pytest.mark.parametrize("tracing", ["hops", "", True, 1, -0.1, 1.1, float("nan"), ["off"]])
def test_what_makes_no_sense_of_that_is_told_with_what_does(
    options: ActorOptions | TaskOptions, tracing: object
) -> None:
    with pytest.raises(ConfigError, match=r'tracing.*"off", "calls", "full" or a share from 0\.0 to 1\.0'):
        options.with_({"tracing": tracing})
