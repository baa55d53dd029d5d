"""Shared memory of processes that come and go, are killed, or have none."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api import session
from partisan_actors.objects.store import ObjectStore
from tests.integration.programs import Programs, roomy_memory, wait_until

numpy = pytest.importorskip("numpy")

MEGABYTE = 1024 * 1024
LARGE = 16 * MEGABYTE


@pytest.fixture(scope="module", autouse=True)
def _own_memory(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Segments of these tests are where nobody else's are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTISAN_SHM_DIR", str(roomy_memory(tmp_path_factory) / f"partisan-tests-{os.getpid()}"))
        yield


def store() -> ObjectStore:
    found: ObjectStore = session.system().extensions["objects"]
    return found


@pa.actor(placement="spread")
class Reader:
    def pid(self) -> int:
        return os.getpid()

    def total(self, array: Any) -> float:
        return float(array.sum())

    def make(self, count: int) -> Any:
        return numpy.full(count, 2.0)


@pytest.mark.slow
def test_without_shared_memory_arrays_are_sent_and_large_objects_wait_for_room() -> None:
    with pa.init(workers=2, shared_memory=False):
        readers = [Reader.remote(), Reader.remote()]
        array = numpy.ones(LARGE // 8)
        refs = [pa.put(array) for _ in range(2)]

        totals = pa.get([reader.total.remote(ref) for reader in readers for ref in refs], timeout=120)

        assert totals == [LARGE // 8] * 4
        assert pa.get(readers[0].total.remote(array), timeout=60) == LARGE // 8
        assert store().sharing.segments is None


def test_what_a_killed_worker_made_stays_with_who_has_it_and_its_files_are_swept() -> None:
    with pa.init(workers=2):
        reader = Reader.remote()
        array = pa.get(reader.make.remote(LARGE // 8), timeout=60)
        pid = pa.get(reader.pid.remote())
        segments = store().sharing.segments
        assert segments is not None
        places = {path for path in segments.path.parent.iterdir() if path.is_dir() and path != segments.path}

        os.kill(pid, signal.SIGKILL)

        wait_until(lambda: not all(place.exists() for place in places), "its place to be swept")
        assert sum(place.exists() for place in places) == 1
        assert float(array.sum()) == 2.0 * (LARGE // 8)


def test_after_the_end_nothing_is_left(tmp_path: Path) -> None:
    base = Path(os.environ["PARTISAN_SHM_DIR"])
    with pa.init(workers=1):
        held = pa.put(numpy.ones(LARGE // 8))
        pa.get(Reader.remote().total.remote(held), timeout=60)
        assert list(base.iterdir())

    wait_until(lambda: not base.exists(), "everything to be gone")
    assert float(held.result().sum()) == LARGE // 8  # what is mapped stays


@pytest.mark.slow
def test_when_everything_was_killed_the_next_start_sweeps(programs: Programs) -> None:
    program = programs.start(
        """
        import os, signal
        import numpy, partisan_actors as pa

        @pa.actor
        class Keeper:
            def keep(self, array):
                self.kept = array

        with pa.init(workers=1) as session:
            keeper = Keeper.remote()
            ref = pa.put(numpy.ones(1_000_000))
            pa.get([keeper.keep.remote(ref), keeper.keep.remote(numpy.ones(1_000_000))])
            print("ready", flush=True)
            for pid in [*session.worker_pids, os.getpid()]:
                os.kill(pid, signal.SIGKILL)
        """
    )
    program.wait_for("ready")
    program.wait()
    base = Path(os.environ["PARTISAN_SHM_DIR"])
    left = [path for path in base.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left

    with pa.init(workers=0):
        wait_until(lambda: not any(path.exists() for path in left), "what is left over to be swept")
