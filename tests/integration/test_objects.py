"""Objects: values put once and used anywhere, large ones without needless copies, and what is said when one is gone."""

from __future__ import annotations

import gc
import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api import session
from partisan_actors.ids import NodeId, ObjectId
from partisan_actors.node import strangers
from partisan_actors.objects import lending
from tests.integration.programs import wait_until

pytestmark = pytest.mark.usefixtures("cluster")

MEGABYTE = 1024 * 1024


@pa.actor(placement="spread")
class Keeper:
    def __init__(self) -> None:
        self.kept: Any = None

    def size(self, value: Any) -> int:
        return len(value)

    def total(self, value: Any) -> float:
        return float(value.sum())

    def change(self, value: Any) -> Any:
        value[0] = 99
        return value

    def keep(self, box: list[Any]) -> None:
        self.kept = box[0]

    def give(self) -> Any:
        return self.kept

    def use(self) -> Any:
        return pa.get(self.kept)

    def drop(self) -> None:
        self.kept = None

    def make(self, size: int) -> bytes:
        return bytes(size)

    def own(self, value: Any) -> list[Any]:
        return [pa.put(value)]

    def kind(self, value: Any) -> str:
        return type(value).__name__

    def wait_for(self, path: str) -> None:
        deadline = time.monotonic() + 30
        while not os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.005)

    def sizes(self, box: list[Any]) -> list[int]:
        return [len(pa.get(ref)) for ref in box]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**63),
        2**64,
        1.5,
        float("inf"),
        "text",
        "naïve ☃ \ud800",
        b"bytes",
        bytearray(b"array"),
        (1, (2, 3)),
        {"a": [1, {2}], 3: None},
        {1, 2},
        range(3),
        1 + 2j,
        b"x" * 100_000,
        "y" * 100_000,
        ["z" * 50_000] * 3,
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12]!a}",
)
def test_every_plain_value_arrives_as_it_was(value: Any) -> None:
    @pa.actor
    class Echo:
        def echo(self, value: Any) -> Any:
            return value

    echo = Echo.remote()

    for answer in (pa.get(echo.echo.remote(value)), pa.get(pa.put(value)), pa.get(echo.echo.remote(pa.put(value)))):
        assert answer == value
        assert type(answer) is type(value)
    pa.kill(echo)


def test_numpy_arrays_arrive_and_can_be_changed_without_changing_the_sender_s() -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(100_000, dtype="float64")

    changed = pa.get(Keeper.remote().change.remote(array))

    assert array[0] == 0
    assert changed[0] == 99
    assert (changed[1:] == array[1:]).all()


def test_a_sent_array_is_what_it_was_at_the_call() -> None:
    numpy = pytest.importorskip("numpy")
    keeper = Keeper.remote()
    array = numpy.ones(1_000_000)

    totals = []
    for _ in range(3):
        totals.append(keeper.total.remote(array))
        array[:] += 1

    assert pa.get(totals) == [1e6, 2e6, 3e6]


def test_a_put_value_is_what_it_was_at_the_put() -> None:
    box = [1, 2]
    ref = pa.put(box)
    box.append(3)

    assert pa.get(ref) == [1, 2]
    assert pa.get(Keeper.remote().size.remote(ref)) == 2


@pytest.mark.parametrize("way", ["call", "task"])
def test_large_bytes_are_sent_without_a_copy(way: str) -> None:
    @pa.task
    def size(value: bytes) -> int:
        return len(value)

    keeper = Keeper.remote()
    data = bytes(64 * MEGABYTE)
    send = {"call": keeper.size.remote, "task": size.remote}[way]
    pa.get(send(b"warm"))
    gc.collect()
    tracemalloc.start()

    try:
        length = pa.get(send(data), timeout=120)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert length == len(data)
    assert peak < 16 * MEGABYTE


def test_a_ref_kept_by_a_worker_outlives_the_one_here() -> None:
    keeper = Keeper.remote()
    pa.get(keeper.keep.remote([pa.put([1, 2, 3])]))
    gc.collect()

    assert pa.get(keeper.use.remote()) == [1, 2, 3]
    assert pa.get(pa.get(keeper.give.remote())) == [1, 2, 3]


def test_a_ref_that_waits_in_a_mailbox_is_kept_for_longer_than_the_grace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lending, "GRACE_S", 0.0)
    monkeypatch.setattr(lending, "ARRIVAL_S", 0.0)
    keeper, store = Keeper.remote(), _store()
    blocked = keeper.wait_for.remote(str(tmp_path / "open"))

    top_level = keeper.size.remote(pa.put(b"late"))
    inside = keeper.sizes.remote([pa.put(b"later")])
    gc.collect()
    store._sweep()
    (tmp_path / "open").touch()

    assert pa.get([blocked, top_level, inside], timeout=30) == [None, 4, [5]]


@pa.actor(placement="spread")
class Sizes:
    async def size(self, value: Any) -> int:
        return len(value)

    async def make(self, size: int) -> list[Any]:
        return [pa.put(bytes(size))]

    async def lent(self) -> int:
        return int(_store().lent_count)


def _store() -> Any:
    return session.system().extensions["objects"]


def test_what_nobody_borrows_any_more_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "GRACE_S", 2.0)
    monkeypatch.setattr(lending, "ARRIVAL_S", 2.0)
    keeper, store = Keeper.remote(), _store()
    ref = pa.put(b"kept")
    number = ref.id.number
    pa.get(keeper.keep.remote([ref]))
    del ref
    gc.collect()
    store._sweep()
    assert pa.get(keeper.use.remote()) == b"kept"
    assert number in store.lending.lent

    pa.get(keeper.drop.remote())

    wait_until(lambda: number not in store.lending.lent, "the object to be let go")


def test_values_that_are_put_and_used_in_a_loop_do_not_pile_up() -> None:
    store, reader, size = _store(), Sizes.remote(), 8 * MEGABYTE
    value, most = bytes(size), 0

    for _ in range(120):
        assert pa.get(reader.size.remote(pa.put(value)), timeout=60) == size
        most = max(most, store.keeping.bytes_used)

    # What the reader has mapped lately, what it is to be asked about, and what is on its way meanwhile.
    assert most < 600 * MEGABYTE
    assert store.keeping.spilled_count == 0


def test_results_that_were_put_over_there_do_not_pile_up() -> None:
    reader = Sizes.remote()
    ref = pa.get(reader.make.remote(MEGABYTE), timeout=60)[0]
    assert len(pa.get(ref, timeout=60)) == MEGABYTE
    assert pa.get(reader.lent.remote()) == 1

    del ref
    gc.collect()

    wait_until(lambda: pa.get(reader.lent.remote()) == 0, "the value to be let go of over there")


def test_an_object_whose_owner_nobody_knows_is_lost_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "STRANGER_S", 0.5)
    stranger = ObjectId(NodeId("nobody-we-know", 1), 1)
    ref: pa.ObjectRef[Any] = _store().adopt(stranger)

    with pytest.raises(pa.ObjectLost, match=r"owned by node nobody-we-know~1, is lost: its owner cannot be reached"):
        pa.get(ref, timeout=30)


def test_a_stale_ref_to_one_of_our_own_objects_is_lost_not_waited_for() -> None:
    store = _store()

    with pytest.raises(pa.ObjectLost, match="last reference is gone"):
        pa.get(store.adopt(ObjectId(store.system.me, 1_000_000)))


def test_put_takes_a_value_and_no_ref() -> None:
    with pytest.raises(TypeError, match="ref already"):
        pa.put(pa.put(1))
