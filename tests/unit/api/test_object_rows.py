"""Tests of what a node tells of objects: where each is, why it is kept, and how many references there are."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from partisan_actors.actors.context import current_system
from partisan_actors.api import object_rows
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import ConfigError
from partisan_actors.objects.keeping import KEPT_BYTES_MIN
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import until
from tests.unit.api.runtimes import runtimes

LARGE = bytes(KEPT_BYTES_MIN)


def sent(ref: ObjectRef[Any], to: Runtime) -> ObjectRef[Any]:
    """The ref as that node gets it."""
    data = pickle.dumps(ref)
    token = current_system.set(to.system)
    try:
        arrived: ObjectRef[Any] = pickle.loads(data)
    finally:
        current_system.reset(token)
    return arrived


async def rows(runtime: Runtime) -> list[dict[str, Any]]:
    told = await runtime.object_rows.all(None)
    return list(told["rows"])


async def test_a_large_object_is_told_of_with_where_it_is_and_its_handles() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        ref = a.objects.put(LARGE)
        (alone,) = await rows(a)
        more = [ref, ref]
        (thrice,) = await rows(a)
        del more, ref
        none = await rows(a)

    assert (alone["role"], alone["state"], alone["where"], alone["handles"]) == ("owner", "ready", "memory", 1)
    assert alone["size_bytes"] > KEPT_BYTES_MIN - 1 and alone["age_s"] >= 0 and alone["held_by"] == []
    assert thrice["handles"] == 3 and none == []


async def test_a_small_object_is_told_of_once_others_may_have_it() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        ref = a.objects.put(1)
        before = await rows(a)
        theirs = sent(ref, b)
        lending, number = a.objects.lending, ref.id.number
        await until(lambda: lending.lent[number].borrowers)

        (owned,), (borrowed,) = await rows(a), await rows(b)
        del ref
        (kept,) = await rows(a)

        assert theirs.id.node == a.node.me

    assert before == []
    assert (owned["handles"], owned["held_by"], owned["on_the_way_s"] > 0) == (1, ["b"], True)
    assert (borrowed["role"], borrowed["owner"], borrowed["handles"], borrowed["state"]) == (
        "borrower",
        "a",
        1,
        "pending",
    )
    assert kept["handles"] == 0 and kept["held_by"] == ["b"]


async def test_what_was_written_to_disk_says_so() -> None:
    async with runtimes(MemoryNetwork(), "a", object_store_bytes_max=2 * KEPT_BYTES_MIN) as (a,):
        refs = [a.objects.put(LARGE + bytes([number])) for number in range(3)]

        told = await a.object_rows.all(None)
        assert len(refs) == 3

    assert sorted(row["where"] for row in told["rows"]) == ["disk", "disk", "memory"]
    assert told["spilled"] == 2 and told["bytes_used"] <= told["bytes_max"] == 2 * KEPT_BYTES_MIN


class Shop:
    """Has an attribute."""

    def __init__(self, stock: Any) -> None:
        self.stock = stock


async def test_one_object_is_told_with_who_has_it() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        ref = a.objects.put(LARGE)
        shop, listed = Shop(ref), [ref]

        row = await a.object_rows.one(None, str(ref.id))
        missing = await a.object_rows.one(None, "object:a~1/ff")
        with pytest.raises(ConfigError):
            await a.object_rows.one(None, "nonsense")
        assert shop.stock is listed[0]

    assert row is not None and missing is None
    assert (
        f"attribute 'stock' of a {__name__}.Shop" in row["referrers"] and "an item of a list of 1" in row["referrers"]
    )
    assert not [text for text in row["referrers"] if "partisan_actors.objects" in text]


async def test_the_smallest_are_left_out_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_rows, "ROWS_MAX", 1)
    async with runtimes(MemoryNetwork(), "a") as (a,):
        refs = [a.objects.put(LARGE), a.objects.put(LARGE + LARGE)]

        told = await a.object_rows.all(None)

        assert [row["id"] for row in told["rows"]] == [str(refs[1].id)] and told["left_out"] == 1
