"""Placements as users write them."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.ids import GroupId, NodeId
from partisan_actors.scheduler.strategies import InPlacementGroup, NodeAffinity, NodeLabels, parse_strategy


@pytest.mark.parametrize("placement", ["default", "spread", "pack", "random", NodeAffinity("w1", soft=True)])
def test_every_documented_placement_is_accepted(placement: Any) -> None:
    assert parse_strategy(placement) == placement


@pytest.mark.parametrize("placement", ["SPREADING", "", None, 3, NodeId("w1", 1)])
def test_any_other_is_refused_with_the_list_of_those_that_are(placement: Any) -> None:
    with pytest.raises(ConfigError, match=r'placement = .*"spread"'):
        parse_strategy(placement)


@pytest.mark.parametrize("node", ["w1", "w1~2a", NodeId("w1", 42)])
def test_a_node_is_meant_by_its_name_its_text_or_its_id(node: str | NodeId) -> None:
    affinity = NodeAffinity(node)

    assert affinity.means(NodeId("w1", 42))
    assert not affinity.means(NodeId("w2", 42))


def test_a_name_means_every_life_of_the_node_and_an_id_only_one() -> None:
    assert NodeAffinity("w1").means(NodeId("w1", 43))
    assert not NodeAffinity(NodeId("w1", 42)).means(NodeId("w1", 43))


@pytest.mark.parametrize("node", ["", " ", None, 3])
def test_an_affinity_to_no_node_is_refused(node: Any) -> None:
    with pytest.raises(ConfigError, match=r"NodeAffinity\.node"):
        NodeAffinity(node)


def test_soft_is_yes_or_no() -> None:
    with pytest.raises(ConfigError, match=r"NodeAffinity\.soft"):
        NodeAffinity("w1", soft="no")  # type: ignore[arg-type]  # the mistake that is tested


@pytest.mark.parametrize("placement", ["SPREAD", "Default", "pack"])
def test_names_are_taken_in_any_case(placement: str) -> None:
    assert parse_strategy(placement) == placement.lower()


def test_node_labels_want_at_least_one_that_makes_sense() -> None:
    for labels in ({}, {"hard": {"zone": "a b"}}, {"soft": {"": "a"}}):
        with pytest.raises(ConfigError):
            NodeLabels(**labels)


@pytest.mark.parametrize("index", [-2, 1.0, True, "0"])
def test_a_bundle_is_named_by_its_index(index: Any) -> None:
    with pytest.raises(ConfigError, match="bundle_index"):
        InPlacementGroup(GroupId(NodeId("a", 1), 1), index)
