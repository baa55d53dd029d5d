"""The stack of a node: made from its configuration, or refused with what is allowed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.overlays import make_strategy, shared_options, with_own_options
from partisan_actors.protocols.membership.full_mesh import FullMesh, FullMeshOptions
from partisan_actors.protocols.membership.hyparview import HyParView
from partisan_actors.protocols.membership.redial import RedialOptions

ME = NodeId("a", 1)


class Plain(FullMesh):
    """A user's strategy that takes its options as they come."""

    options_type = None  # type: ignore[assignment]  # as when it is not told

    def __init__(self, me: NodeId, options: Mapping[str, Any], rng: random.Random) -> None:
        super().__init__(me, FullMeshOptions(), rng)
        self.given = dict(options)
        if "explode" in options:
            raise LookupError("no map of the stars")

    @staticmethod
    def own_options(joins: bool) -> dict[str, Any]:
        return {"tag": "client" if joins else "server"}


MINE = f"{__name__}:Plain"


def made(overlay: str, **options: Any) -> Any:
    return make_strategy(ME, overlay, options, random.Random(1))


def test_each_name_makes_its_strategy_with_its_options() -> None:
    hyparview = made("hyparview", active_max=4, redial={"tries_max": 2})

    assert isinstance(hyparview, HyParView)
    assert hyparview.options.active_max == 4 and hyparview.options.redial == RedialOptions(tries_max=2)
    assert isinstance(made("full_mesh"), FullMesh)


def test_a_class_that_tells_no_type_of_options_gets_the_map() -> None:
    assert made(MINE, fan_out=3).given == {"fan_out": 3}


def test_a_bad_option_is_named_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match=r"overlay_options\.active_max = 1 is not valid: expected an int of at least"):
        made("hyparview", active_max=1)
    with pytest.raises(ConfigError, match="expected one of redial, removed_max"):
        made("full_mesh", active_max=4)
    with pytest.raises(ConfigError, match=r"what FullMesh takes .ValueError: removed_max = 0"):
        made("full_mesh", removed_max=0)


def test_whatever_a_user_s_constructor_raises_is_told_as_a_bad_setting() -> None:
    with pytest.raises(ConfigError, match=r"what Plain takes .LookupError: no map of the stars"):
        made(MINE, explode=True)


def test_a_node_s_own_options_depend_on_whether_it_joins_and_do_not_travel() -> None:
    config = NodeConfig(overlay=MINE, overlay_options={"fan_out": 3})

    assert with_own_options(config, joins=False).overlay_options == {"tag": "server", "fan_out": 3}
    assert with_own_options(config, joins=True).overlay_options == {"tag": "client", "fan_out": 3}
    said = NodeConfig(overlay=MINE, overlay_options={"tag": "server", "fan_out": 3})
    assert with_own_options(said, joins=True) == said
    assert shared_options(said) == {"fan_out": 3}
