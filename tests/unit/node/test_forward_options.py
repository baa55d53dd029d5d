"""The defaults of `forward`: what they may be, and that a node with others does not start."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.forward_options import ForwardOptions
from partisan_actors.wire.channels import check_channels


def test_a_map_of_some_options_leaves_the_others_as_they_are() -> None:
    assert ForwardOptions.of({"ack": True, "partition_key": "k"}) == ForwardOptions(ack=True, partition_key="k")
    assert ForwardOptions.of(ForwardOptions(ack=True)).plain() == {
        "ack": True,
        "causal": None,
        "channel": "calls",
        "partition_key": None,
        "transitive": None,
    }


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"acks": True}, "forward"),
        (7, "forward"),
        ({"ack": 1}, "forward.ack"),
        ({"channel": "nowhere"}, "forward.channel"),
        ({"channel": ["calls"]}, "forward.channel"),
        ({"causal": "unheard-of"}, "forward.causal"),
        ({"partition_key": -1}, "partition_key"),
        ({"channel": "newest", "ack": True}, "forward.channel"),
        ({"channel": "newest", "causal": "orders"}, "forward.channel"),
    ],
)
def test_what_a_node_cannot_do_is_refused_before_it_starts(given: Any, field: str) -> None:
    channels: Any = {"newest": {"monotonic": True}}
    with pytest.raises(ConfigError) as refused:
        NodeConfig(channels=check_channels(channels), delivery={"causal_labels": ["orders"]}, forward=given)  # type: ignore[arg-type]  # a map will do

    assert refused.value.field == field
