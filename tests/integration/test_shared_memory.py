"""Large arrays between the processes of a host: mapped and not copied, and nothing is left when a process is killed."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api import session
from partisan_actors.objects.store import ObjectStore
from tests.integration.programs import roomy_memory, wait_until

numpy = pytest.importorskip("numpy")

pytestmark = pytest.mark.usefixtures("cluster")

MEGABYTE = 1024 * 1024
LARGE = 32 * MEGABYTE
HUGE = 80 * 1000 * 1000


@pytest.fixture(scope="module", autouse=True)
def _own_memory(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Segments of these tests are where nobody else's are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTISAN_SHM_DIR", str(roomy_memory(tmp_path_factory) / f"partisan-tests-{os.getpid()}"))
        # These tests collect often. What all other tests have left would take so long that others take us for dead.
        gc.freeze()
        yield
        gc.unfreeze()


def store() -> ObjectStore:
    found: ObjectStore = session.system().extensions["objects"]
    return found


def anonymous_bytes() -> int:
    """The memory of this process that is its own, and no file's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon: this is not Linux")


@pa.actor(placement="spread")
class Reader:
    def __init__(self) -> None:
        self.kept: Any = None

    def pid(self) -> int:
        return os.getpid()

    def grown_by(self, box: list[Any]) -> tuple[int, bool, float, int]:
        """How much this process grows by getting an array twice and reading it, and what is in it."""
        gc.collect()
        before = anonymous_bytes()
        array, again = pa.get(box[0]), pa.get(box[0])
        assert numpy.shares_memory(array, again) and not again.flags.writeable
        total = float(array.sum())
        return anonymous_bytes() - before, array.flags.writeable, total, os.getpid()

    def total(self, array: Any) -> tuple[float, bool]:
        return float(array.sum()), array.flags.writeable

    def make(self, count: int) -> Any:
        return numpy.full(count, 2.0)

    def keep(self, array: Any) -> None:
        self.kept = array

    def checksum(self) -> float:
        return float(self.kept.sum())

    def give(self) -> Any:
        return self.kept


def test_an_object_is_mapped_read_only_by_every_process_that_reads_it() -> None:
    readers = [Reader.remote(), Reader.remote()]
    ref = pa.put(numpy.ones(HUGE // 8))

    answers = pa.get([reader.grown_by.remote([ref]) for reader in readers], timeout=60)

    assert {pid for *_, pid in answers}.isdisjoint({os.getpid()})
    for growth, is_writeable, total, _ in answers:
        assert growth < 5 * MEGABYTE
        assert (is_writeable, total) == (False, HUGE // 8)


def test_arguments_and_results_are_mapped() -> None:
    reader = Reader.remote()
    array = numpy.ones(LARGE // 8)
    before = store().sharing.mapped_count

    assert pa.get(reader.total.remote(array), timeout=60) == (LARGE // 8, False)
    assert pa.get(reader.total.remote(pa.put(array)), timeout=60) == (LARGE // 8, False)
    assert store().sharing.mapped_count == before + 2

    gc.collect()
    grown = anonymous_bytes()
    result = pa.get(reader.make.remote(LARGE // 8), timeout=60)
    assert float(result[-1]) == 2.0
    assert not result.flags.writeable
    assert anonymous_bytes() - grown < 5 * MEGABYTE


def test_the_first_call_of_an_actor_that_is_not_there_yet_maps_as_well() -> None:
    before = store().sharing.mapped_count

    total = Reader.remote().total.remote(numpy.ones(LARGE // 8))

    assert pa.get(total, timeout=60) == (LARGE // 8, False)
    assert store().sharing.mapped_count == before + 1


def test_what_is_passed_on_is_mapped_again_and_not_copied() -> None:
    first, second = Reader.remote(), Reader.remote()
    pa.get(first.keep.remote(numpy.ones(LARGE // 8)), timeout=60)

    answer = pa.get(second.total.remote(first.give.remote()), timeout=60)

    assert answer == (LARGE // 8, False)


def test_an_array_that_an_actor_keeps_does_not_change_when_its_sender_sends_others() -> None:
    keepers = [Reader.remote() for _ in range(3)]
    for number, keeper in enumerate(keepers):
        pa.get(keeper.keep.remote(numpy.full(MEGABYTE, float(number))), timeout=60)
    for _ in range(5):
        pa.get(keepers[0].total.remote(numpy.full(MEGABYTE, 99.0)), timeout=60)

    assert pa.get([keeper.checksum.remote() for keeper in keepers]) == [0.0, MEGABYTE, 2.0 * MEGABYTE]


def test_calls_before_and_after_a_mapped_one_keep_their_order() -> None:
    keeper = Reader.remote()
    array = numpy.full(MEGABYTE, 1.0)
    sums = []
    for number in range(20):
        keeper.keep.remote(array * number)
        sums.append(keeper.checksum.remote())

    assert pa.get(sums, timeout=60) == [float(MEGABYTE * number) for number in range(20)]


def test_memory_is_given_back() -> None:
    reader = Reader.remote()
    pa.get(reader.total.remote(numpy.ones(LARGE // 8)), timeout=60)
    segments = store().sharing.segments
    assert segments is not None
    pa.get(reader.total.remote(pa.put(numpy.ones(LARGE // 8))), timeout=60)
    gc.collect()

    wait_until(lambda: not list(segments.path.iterdir()), "the segments to be gone")
    assert segments.bytes_used == 0


def test_what_cannot_be_mapped_is_said_and_the_next_call_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader.remote()
    pa.get(reader.pid.remote())
    sharing = store().sharing
    assert sharing.segments is not None
    real = sharing.segments.find

    def elsewhere(view: memoryview) -> Any:
        piece = real(view)
        return piece._replace(segment=0xFFFFFF) if piece is not None else None

    with monkeypatch.context() as patch:
        patch.setattr(sharing.segments, "find", elsewhere)
        with pytest.raises(pa.ActorUnavailable, match="shared memory cannot be mapped"):
            pa.get(reader.total.remote(numpy.ones(MEGABYTE)), timeout=60)

    try:
        assert pa.get(reader.total.remote(numpy.ones(MEGABYTE)), timeout=60)[0] == MEGABYTE
    finally:
        sharing._strangers.clear()


def test_a_small_array_is_the_receivers_own() -> None:
    assert pa.get(Reader.remote().total.remote(numpy.ones(1000))) == (1000.0, True)
