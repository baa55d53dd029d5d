"""Tests of what is looked at before a process joins a running cluster."""

from __future__ import annotations

import pytest

from partisan_actors.api.joining import fit_to_cluster
from partisan_actors.errors import AuthenticationError, ConfigError, NotYetConnected
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import config_of
from tests.unit.api.runtimes import door, runtimes


async def test_who_says_nothing_takes_the_overlay_of_the_cluster() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", overlay="full_mesh") as (a,):
        fitted = await fit_to_cluster(config_of("b"), [a.node.address], any_overlay=True, transport=door(network))

    assert fitted.config.overlay == "full_mesh"


async def test_the_cluster_s_options_of_the_overlay_hold_but_for_those_that_are_given() -> None:
    network = MemoryNetwork()
    theirs = {"active_max": 6, "redial": {"first_s": 2.0, "tries_max": 4}}
    mine = config_of("b", overlay_options={"redial": {"tries_max": 5}})
    async with runtimes(network, "a", overlay_options=theirs) as (a,):
        fitted = await fit_to_cluster(mine, [a.node.address], any_overlay=True, transport=door(network))

    assert fitted.config.overlay_options == {"active_max": 6, "redial": {"first_s": 2.0, "tries_max": 5}}


async def test_the_cluster_s_broadcast_and_its_options_hold_but_for_those_that_are_given() -> None:
    network = MemoryNetwork()
    theirs = {"trees": "per_root", "store_max": 64}
    mine = config_of("b", broadcast_options={"store_max": 32})
    async with runtimes(network, "a", broadcast_options=theirs) as (a,):
        fitted = await fit_to_cluster(mine, [a.node.address], any_overlay=True, transport=door(network))
    async with runtimes(network, "c", broadcast="flood") as (c,):
        flooding = await fit_to_cluster(config_of("b"), [c.node.address], any_overlay=True, transport=door(network))

    assert fitted.config.broadcast_options == {"trees": "per_root", "store_max": 32}
    assert flooding.config.broadcast == "flood"


async def test_who_joins_learns_whom_to_expect() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b") as (a, _b):
        fitted = await fit_to_cluster(config_of("c"), [a.node.address], any_overlay=True, transport=door(network))

    assert fitted.members == {"a", "b"}


async def test_another_overlay_is_refused_and_the_error_names_the_right_one() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", overlay="full_mesh") as (a,):
        with pytest.raises(ConfigError, match="expected full_mesh"):
            await fit_to_cluster(config_of("b"), [a.node.address], any_overlay=False, transport=door(network))


async def test_the_same_overlay_changes_nothing() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,):
        config = config_of("b")
        fitted = await fit_to_cluster(config, [a.node.address], any_overlay=False, transport=door(network))

    assert fitted.config == config


async def test_a_name_that_answers_is_taken() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b") as (a, _b):
        with pytest.raises(ConfigError, match=r"name = 'b'.*b:1"):
            await fit_to_cluster(config_of("b"), [a.node.address], any_overlay=True, transport=door(network))


async def test_the_name_of_a_node_that_has_crashed_can_be_taken_at_once() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b") as (a, b):
        network.unreachable.add(b.node.address)

        fitted = await fit_to_cluster(config_of("b"), [a.node.address], any_overlay=True, transport=door(network))

    assert fitted.config.name == "b"


async def test_a_dead_contact_and_another_cookie_are_told_as_such() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,):
        with pytest.raises(NotYetConnected, match="nobody:1"):
            await fit_to_cluster(config_of("b"), ["nobody:1"], any_overlay=True, transport=door(network))
        stranger = config_of("b", cookie=b"another cookie")
        with pytest.raises(AuthenticationError):
            await fit_to_cluster(stranger, [a.node.address], any_overlay=True, transport=door(network))
