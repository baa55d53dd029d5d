"""Tests of a node's settings: every one is checked, and the error names it."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.node.config import NodeConfig, random_name


def test_the_defaults_are_valid_and_each_node_has_a_name_of_its_own() -> None:
    assert NodeConfig().name != NodeConfig().name
    assert random_name("worker").startswith("worker-")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("name", ""),
        ("name", "-a"),
        ("name", "with space"),
        ("name", "a/b"),
        ("name", "a~1"),
        ("name", "x" * 64),
        ("name", 7),
        ("overlay", "ring"),
        ("routing", "best"),
        ("bind", "nowhere:port"),
        ("advertise", ("example.org",)),
        ("labels", {"zone": 1}),
        ("labels", {1: "zone"}),
        ("dial_timeout_s", 0),
        ("idle_close_s", -1),
        ("keep_alive_s", -1),
        ("suspicion_s", 0),
        ("load_period_s", 0),
        ("dialled_max", 0),
        ("keep_alive_misses", 0),
        ("message_bytes_max", 0),
        ("mailbox_max", 0),
        ("cluster", "a\x1b[2Jb"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError) as error:
        NodeConfig(**{setting: value})

    assert error.value.field == ("address" if setting in ("bind", "advertise") else setting)


def test_a_node_offers_one_cpu_and_some_memory_unless_it_says_otherwise() -> None:
    offered = NodeConfig(resources={"num_cpus": 4, "scanner": 1}).total_resources()

    assert offered["num_cpus"] == 4 and offered["scanner"] == 1 and offered["memory"] > 0
    assert NodeConfig().total_resources()["num_cpus"] == 1


def test_a_node_that_hosts_nothing_offers_nothing() -> None:
    assert NodeConfig(hosts_actors=False, resources={"num_cpus": 4}).total_resources() == {}
