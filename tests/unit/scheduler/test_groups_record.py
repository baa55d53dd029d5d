"""A group's record comes back from the map as it went in, and nonsense does not."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.ids import GroupId, NodeId
from partisan_actors.scheduler.groups_record import CREATED, REMOVED, GroupRecord, parse_bundles, parse_group_strategy
from partisan_actors.scheduler.resources import Resources
from partisan_actors.wire.codec import pack, unpack

RECORD = GroupRecord(
    GroupId(NodeId("a", 7), 3),
    "SPREAD",
    (Resources.of(num_cpus=0.5), Resources.of(num_gpus=1, resources={"lamps": 2})),
    ({"zone": "!in(a, b)"}, {}),
    (NodeId("b", 9), None),
    NodeId("a", 7),
    "mine",
    CREATED,
    "because",
)


def test_a_record_comes_back_as_it_went_in() -> None:
    assert GroupRecord.parse(RECORD.packed()) == RECORD
    assert RECORD.here(NodeId("b", 9)) == [0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("group", ["a"]),
        ("strategy", "TIGHT"),
        ("bundles", []),
        ("bundles", [{"num_cpus": -1}]),
        ("hosts", [None]),
        ("hosts", [3, 4]),
        ("selectors", [{"zone": ""}, {}]),
        ("owner", "a"),
    ],
)
def test_nonsense_is_nobody_s_group(field: str, value: Any) -> None:
    plain = {**unpack(RECORD.packed()), field: value}

    assert GroupRecord.parse(pack(plain)) is None


def test_an_end_has_nothing_anywhere() -> None:
    over = GroupRecord(RECORD.group, "PACK", RECORD.bundles, (), (NodeId("b", 9), None), state=REMOVED)

    assert over.is_over and over.here(NodeId("b", 9)) == []
    assert GroupRecord.parse(None) is None


def test_bundles_may_be_spelt_as_in_ray() -> None:
    assert parse_bundles([{"CPU": 1, "GPU": 0.5}]) == parse_bundles([{"num_cpus": 1, "num_gpus": 0.5}])
    assert parse_group_strategy("strict_pack") == "STRICT_PACK"


@pytest.mark.parametrize(
    "bundles", [None, {}, [], [3], [{}], [{"num_cpus": 0}], [{"x": -1}], [{"num_gpus": 1.5}], [{"": 1}]]
)
def test_bundles_that_make_no_sense_are_refused(bundles: Any) -> None:
    with pytest.raises(ConfigError):
        parse_bundles(bundles)
