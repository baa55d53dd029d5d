"""A node that crashed finds its cluster again by what it saved, and a node whose file is of no use starts clean."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from partisan_actors.node.node import Node
from partisan_actors.node.saved_members import Saved, SavedMember, SavedMembers
from partisan_actors.node.world import World
from partisan_actors.transport.memory import MemoryNetwork, MemoryTransport
from tests.nodes import config_of, overlay, until


async def another_life(name: str, network: MemoryNetwork, data: Path, **settings: Any) -> Node:
    """A node of that name, as after a restart: without contacts, and an incarnation by the clock."""
    loop = asyncio.get_running_loop()
    config = config_of(name, data_dir=str(data), **settings)
    node = Node(config, loop, transport=MemoryTransport(loop, network), world=World(wall_clock_ns=lambda: 5_000))
    await node.start()
    return node


def file_of(data: Path, name: str) -> SavedMembers:
    return SavedMembers(str(data), name)


def saves(data: Path, name: str, *names: str) -> Callable[[], bool]:
    """Whether that node has saved exactly those."""

    def look() -> bool:
        saved = file_of(data, name).read()
        return saved is not None and {member.name for member in saved.members} == set(names)

    return look


@pytest.mark.parametrize("cluster", ["tests", ""])
async def test_a_node_that_was_killed_rejoins_without_being_told_where(tmp_path: Path, cluster: str) -> None:
    network = MemoryNetwork()
    async with overlay("a", "b", "c", network=network, data_dir=str(tmp_path)) as (a, b, c):
        await until(saves(tmp_path, "c", "a", "b"), "the members to be saved")
        await c.close(graceful=False)

        again = await another_life("c", network, tmp_path, cluster=cluster)
        try:
            assert again.cluster == "tests"
            assert again.me.incarnation > c.me.incarnation
            await until(lambda: a.directory.is_up(again.me) and b.directory.is_up(again.me), "it is back for all")
            await until(lambda: len(again.directory.live()) == 3, "it knows all")
        finally:
            await again.close(graceful=False)


async def test_a_node_that_finds_nobody_starts_alone_and_joins_when_one_is_back(tmp_path: Path) -> None:
    network = MemoryNetwork()
    async with overlay("a", "b", network=network, data_dir=str(tmp_path)) as (a, b):
        await until(saves(tmp_path, "b", "a"), "the members to be saved")
        await until(saves(tmp_path, "a", "b"), "the members to be saved")
        for node in (a, b):
            await node.close(graceful=False)

        first = await another_life("b", network, tmp_path)
        assert not first.neighbours()
        assert saves(tmp_path, "b", "a")(), "it still remembers"
        second = await another_life("a", network, tmp_path)
        try:
            await until(lambda: first.neighbours() and second.neighbours(), "they find each other")
        finally:
            await first.close(graceful=False)
            await second.close(graceful=False)


@pytest.mark.parametrize("text", ["", "{half", "\x00" * 100], ids=["empty", "torn", "zeros"])
async def test_a_corrupt_file_means_a_clean_start_one_error_and_is_kept_aside(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = file_of(tmp_path, "a")
    file.path.write_text(text)

    with caplog.at_level(logging.ERROR):
        node = await another_life("a", MemoryNetwork(), tmp_path)
    await until(saves(tmp_path, "a"), "a new file")
    await node.close()

    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    (fact,) = node.troubles.facts()
    assert fact["kind"] == "saved members unusable" and fact["count"] == 1
    assert (tmp_path / "a.members.corrupt").read_text() == text


@pytest.mark.parametrize("change", [{"name": "z"}, {"cluster": "another"}])
async def test_what_another_node_or_another_cluster_s_saved_is_ignored(tmp_path: Path, change: dict[str, str]) -> None:
    network = MemoryNetwork()
    async with overlay("b", network=network) as (b,):
        member = SavedMember("b", 1, (b.address,))
        saved = Saved("a", "tests", 10**15, "hyparview", {}, (member,))
        file_of(tmp_path, "a").write(replace(saved, **change))

        node = await another_life("a", network, tmp_path)
        try:
            assert node.me.incarnation == 5 and not node.neighbours() and node.cluster == "tests"
            assert not node.troubles.facts()
        finally:
            await node.close(graceful=False)


async def test_a_full_disk_is_warned_of_once_and_the_node_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[Saved] = []

    def full(self: SavedMembers, saved: Saved) -> None:
        tries.append(saved)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SavedMembers, "write", full)
    monkeypatch.setattr("partisan_actors.node.rejoining.SAVE_PERIOD_S", 0.01)

    def warned() -> list[logging.LogRecord]:
        return [record for record in caplog.records if "cannot be saved" in record.getMessage()]

    with caplog.at_level(logging.WARNING):
        async with overlay("a", "b", data_dir=str(tmp_path)) as (a, b):
            await until(lambda: len(tries) > 3 and len(warned()) == 2, "they try again with news")
            b.tell(a, "works")
            await until(lambda: a.told == ["works"])

    assert len(warned()) == 2, "each node once"
    assert {record.levelname for record in warned()} == {"WARNING"}


async def test_who_has_left_does_not_come_back_by_itself(tmp_path: Path) -> None:
    network = MemoryNetwork()
    async with overlay("a", "b", network=network, data_dir=str(tmp_path)) as (_, b):
        await until(saves(tmp_path, "b", "a"), "the members to be saved")
        await b.membership.leave()
        await until(saves(tmp_path, "b"), "nobody is remembered")
