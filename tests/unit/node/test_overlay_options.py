"""Options of overlays: from maps to dataclasses, and one clear error for what does not fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.node.overlay_options import merged, options_from, plain
from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.protocols.membership.redial import RedialOptions


@dataclass(frozen=True, slots=True)
class Options:
    """One of every kind of field."""

    size: int = 1
    period_s: float = 1.0
    is_eager: bool = False
    tag: str | None = None
    inner: RedialOptions | None = None
    names: tuple[str, ...] = ()
    table: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.size > 9 and self.is_eager:
            raise ValueError("too much")


def test_a_map_becomes_the_dataclass_and_inner_maps_the_dataclasses_inside() -> None:
    made = options_from(HyParViewOptions, {"active_max": 6, "redial": {"first_s": 2}})

    assert made == HyParViewOptions(active_max=6, redial=RedialOptions(first_s=2.0))


def test_dataclasses_become_maps_and_come_back_the_same() -> None:
    options = Options(2, 0.5, True, "a", RedialOptions(tries_max=3), ("x", "y"), {"k": 1})

    assert options_from(Options, plain(options)) == options
    assert plain({"redial": RedialOptions()})["redial"]["tries_max"] == 15


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fan_out": 3}, "overlay_options = 'fan_out' is not valid: expected one of size, period_s, is_eager"),
        ({"inner": {"first": 1}}, "overlay_options.inner = 'first' is not valid: expected one of first_s, longest_s"),
        (
            {"inner": {"tries_max": 0}},
            "overlay_options.inner.tries_max = 0 is not valid: expected an int of at least 1",
        ),
        ({"inner": 3}, "overlay_options.inner = 3 is not valid: expected a map with first_s.* or none"),
        ({"size": "2"}, "overlay_options.size = '2' is not valid: expected a whole number"),
        ({"size": True}, "expected a whole number"),
        ({"size": 1.5}, "expected a whole number"),
        ({"period_s": "soon"}, "overlay_options.period_s = 'soon' is not valid: expected a number"),
        ({"period_s": True}, "expected a number"),
        ({"is_eager": 1}, "expected true or false"),
        ({"tag": 4}, "overlay_options.tag = 4 is not valid: expected text or none"),
        ({"size": 10, "is_eager": True}, "options that fit together .too much."),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named_with_what_is_allowed(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        options_from(Options, given)


@pytest.mark.parametrize("value", [{1: 2}, {"a": object()}, {"a": {"b": {1, 2}}}, {"a": b"raw"}])
def test_what_cannot_travel_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"overlay_options"):
        plain(value)


def test_options_nested_without_end_are_refused() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless

    with pytest.raises(ConfigError, match="at most 8 levels"):
        plain(endless)


def test_a_class_without_options_says_so() -> None:
    @dataclass(frozen=True)
    class Nothing:
        pass

    with pytest.raises(ConfigError, match="nothing: it has no options"):
        options_from(Nothing, {"a": 1})


def test_merging_replaces_values_and_goes_into_maps() -> None:
    theirs = {"active_max": 5, "redial": {"first_s": 1, "tries_max": 3}}

    assert merged(theirs, {"redial": {"first_s": 2}, "arwl": 4}) == {
        "active_max": 5,
        "redial": {"first_s": 2, "tries_max": 3},
        "arwl": 4,
    }
    assert theirs["redial"] == {"first_s": 1, "tries_max": 3}
