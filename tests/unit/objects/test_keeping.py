"""Keeping: large values under a limit, on disk beyond it, and never lost."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from partisan_actors.errors import ObjectStoreFull
from partisan_actors.ids import NodeId, ObjectId
from partisan_actors.objects.keeping import Keeping, is_large
from partisan_actors.objects.ref import AWAY, ObjectRef
from partisan_actors.objects.spilling import Spiller
from partisan_actors.objects.unheard import Unheard
from partisan_actors.wire.payload import decode, encode_value

KILOBYTE = 1024


class Store:
    """What refs need, and no more."""

    def __init__(self, spill_dir: Path, bytes_max: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.on_failure: list[Any] = []
        self.unheard = Unheard(lambda call, *args: call(*args))
        self._number = 0
        self.spiller = Spiller(NodeId("a", 1), str(spill_dir))
        self.inside: dict[Any, list[Any]] = {}  # what is in a value, by that
        self.keeping = Keeping(bytes_max, self.spiller, decode, self.held_by)

    def held_by(self, body: Any, buffers: Any) -> list[Any]:
        return self.inside[decode(body, buffers)]

    def new_id(self) -> ObjectId:
        self._number += 1
        return ObjectId(NodeId("a", 1), self._number)

    def bring_back(self, ref: ObjectRef[Any]) -> Any:
        return self.keeping.bring_back(ref)

    def put(self, value: Any, *, has_refs: bool = False) -> ObjectRef[Any]:
        payload = encode_value(value, "a value")
        size = len(payload.body) + sum(view.nbytes for view in payload.buffers)
        self.keeping.make_room(size)
        ref: ObjectRef[Any] = ObjectRef(self)  # type: ignore[arg-type]  # enough of a store
        ref.succeed(decode(payload.body, [bytes(view) for view in payload.buffers]))
        self.keeping.keep(ref, payload.body, [bytes(view) for view in payload.buffers], has_refs=has_refs)
        return ref


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path, 10 * 100 * KILOBYTE + 10 * KILOBYTE)
    yield made
    made.keeping.close()
    made.loop.close()
    assert files(tmp_path) == 0


def files(directory: Path) -> int:
    return sum(path.is_file() and path.suffix != ".lock" for path in directory.rglob("*"))


def text(number: int) -> str:
    return str(number) * (100 * KILOBYTE // len(str(number)))


def test_twice_the_limit_is_readable_and_the_disk_is_free_afterwards(store: Store, tmp_path: Path) -> None:
    refs = [store.put(text(number)) for number in range(20)]

    assert store.keeping.bytes_used <= store.keeping.bytes_max
    assert store.keeping.spilled_count >= 10
    assert [ref.result() for ref in refs] == [text(number) for number in range(20)]
    assert [ref.result() for ref in reversed(refs)] == [text(number) for number in reversed(range(20))]
    assert store.keeping.bytes_used <= store.keeping.bytes_max

    refs.clear()
    gc.collect()
    assert (store.keeping.bytes_used, len(store.keeping), files(tmp_path)) == (0, 0, 0)


def test_what_was_used_least_lately_goes_first(store: Store) -> None:
    refs = [store.put(text(number)) for number in range(10)]
    store.keeping.find(refs[0])

    others = [store.put(text(number)) for number in range(2)]

    assert [store.keeping.is_spilled(ref) for ref in refs[:4]] == [False, True, True, False]
    assert not any(map(store.keeping.is_spilled, others))


def test_a_value_that_comes_and_goes_is_written_once(store: Store) -> None:
    refs = [store.put(text(number)) for number in range(11)]
    for _ in range(3):
        for number, ref in enumerate(refs):
            assert ref.result() == text(number)

    assert store.keeping.restored_count > 11
    assert store.keeping.spilled_count == 11


def test_a_spilled_value_is_served_without_bringing_it_back(store: Store) -> None:
    refs = [store.put(text(number)) for number in range(11)]
    assert store.keeping.is_spilled(refs[0])

    found = store.keeping.find(refs[0])

    assert found is not None
    assert decode(*found) == text(0)
    assert refs[0]._value is AWAY


def test_buffers_come_back_as_they_were(store: Store) -> None:
    ref: ObjectRef[Any] = ObjectRef(store)  # type: ignore[arg-type]  # enough of a store
    ref.succeed("stands for it")
    buffers = [b"bytes" * 50 * KILOBYTE, memoryview(b"view" * KILOBYTE), bytearray(b"mine" * KILOBYTE)]
    store.keeping.keep(ref, b"body", buffers)
    for number in range(10):
        store.put(text(number))
    gc.collect()
    held = [store.put(text(number)) for number in range(10)]
    assert store.keeping.is_spilled(ref)

    found = store.keeping.find(ref)

    assert found is not None
    assert (found[0], [bytes(each) for each in found[1]]) == (b"body", [bytes(each) for each in buffers])
    assert type(found[1][0]) is bytes
    assert memoryview(found[1][1]).readonly
    assert type(found[1][2]) is bytearray
    assert held


def test_what_is_large_can_be_seen() -> None:
    large = bytes(300 * KILOBYTE)

    class Array:
        nbytes = len(large)

    assert all(map(is_large, [large, bytearray(large), Array(), [1, (Array(),)], {"a": large}]))
    assert not any(map(is_large, [b"small", [b"small"] * 1000, "x" * len(large), None, [[[large]]], Array]))


def test_what_is_larger_than_everything_is_refused_with_the_figures(store: Store) -> None:
    with pytest.raises(ObjectStoreFull, match=r"more than all of it.*object_store_bytes_max") as caught:
        store.put("x" * (2 * store.keeping.bytes_max))
    assert caught.value.limit == store.keeping.bytes_max
    assert caught.value.size > caught.value.limit


class Inside:
    """Stands for a ref in a value."""


def test_what_is_in_a_value_is_kept_for_as_long_as_its_ref_and_no_longer_wherever_the_value_is(store: Store) -> None:
    inside = [Inside() for _ in range(20)]
    alive = [weakref.ref(each) for each in inside]
    texts = [text(100 + number) for number in range(20)]
    store.inside = {each: [inside[number]] for number, each in enumerate(texts)}
    refs = [store.put(each, has_refs=True) for each in texts]
    assert [ref.result() for ref in refs] == texts  # so each has had to go once
    store.inside.clear()
    inside.clear()
    gc.collect()

    spilled = [number for number in range(20) if store.keeping.is_spilled(refs[number])]
    assert all(alive[number]() is not None for number in spilled)
    assert len(spilled) >= 10
    assert [ref.result() for ref in refs] == texts
    assert all(each() is not None for each in alive)

    refs.clear()
    gc.collect()
    store.keeping.sweep()
    assert [each() for each in alive] == [None] * 20


def test_a_value_that_cannot_be_decoded_again_stays_in_memory(store: Store) -> None:
    refs = [store.put(text(number), has_refs=True) for number in range(10)]

    with pytest.raises(ObjectStoreFull, match="cannot be written to disk"):
        store.put(text(0))
    assert not any(map(store.keeping.is_spilled, refs))
    assert [ref.result() for ref in refs] == [text(number) for number in range(10)]


def test_a_disk_that_is_full_loses_nothing_and_room_is_found_once_it_is_not(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [store.put(text(number)) for number in range(10)]

    def full(*_: object) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("partisan_actors.objects.spilling.os.write", full)
        with pytest.raises(ObjectStoreFull, match="No space left on device"):
            store.put(text(10))
    assert files(tmp_path) == 0
    assert [ref.result() for ref in refs] == [text(number) for number in range(10)]

    refs.append(store.put(text(10)))
    assert [ref.result() for ref in refs] == [text(number) for number in range(11)]


def test_many_threads_may_put_and_read_and_drop_at_once(store: Store) -> None:
    wrong: list[str] = []

    def work(worker: int) -> None:
        refs: list[tuple[int, ObjectRef[Any]]] = []
        for step in range(30):
            refs.append((step, store.put(text(worker * 100 + step))))
            number, ref = refs[step * 7 % len(refs)]
            if ref.result() != text(worker * 100 + number):
                wrong.append(f"{worker}/{number}")
            if len(refs) > 5:
                refs.pop(0)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    gc.collect()
    store.keeping.sweep()
    assert wrong == []
    assert (store.keeping.bytes_used, len(store.keeping)) == (0, 0)
