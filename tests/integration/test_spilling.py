"""More objects than fit: on disk and back, nothing lost, and nothing left."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.programs import wait_until

MEGABYTE = 1024 * 1024
LIMIT = 8 * MEGABYTE


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_twice_the_limit_of_objects_and_results_is_readable_and_the_disk_is_free_afterwards(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")

    @pa.actor
    class Maker:
        def make(self, number: int) -> Any:
            return numpy.full(MEGABYTE // 8 + 1000, float(number))

        def first(self, array: Any) -> float:
            return float(array[0])

    @pa.task
    def make(number: int) -> Any:
        return numpy.full(MEGABYTE // 8 + 1000, float(number))

    with pa.init(workers=1, object_store_bytes_max=LIMIT, spill_dir=str(tmp_path)):
        maker = Maker.remote()
        refs = [maker.make.remote(number) for number in range(8)]
        refs += [make.remote(number) for number in range(8, 16)]
        refs += [pa.put(numpy.full(MEGABYTE // 8 + 1000, float(number))) for number in range(16, 32)]
        pa.wait(refs, num_returns=len(refs), timeout=120)

        assert files(tmp_path)
        assert any(where.is_spilled for where in pa.object_locations(refs).values())
        assert [float(pa.get(ref, timeout=60)[0]) for ref in refs] == list(range(32))
        assert pa.get([maker.first.remote(ref) for ref in refs], timeout=120) == list(range(32))

        async def awaited() -> list[float]:
            return [float((await ref)[-1]) for ref in refs]

        assert asyncio.run(awaited()) == list(range(32))
        refs.clear()
        gc.collect()
        wait_until(lambda: not files(tmp_path), "the disk to be free")
    assert not list(tmp_path.iterdir())


def test_values_with_refs_and_handles_in_them_go_to_disk_and_keep_what_they_refer_to(tmp_path: Path) -> None:
    @pa.actor
    class Worker:
        def make(self, number: int) -> Any:
            return [pa.put(number), bytes([number]) * MEGABYTE]

        def first(self, value: Any) -> Any:
            return pa.get(value[0])

    @pa.actor
    class Counter:
        def add(self, k: int) -> int:
            return k + 1

    with pa.init(workers=1, object_store_bytes_max=LIMIT, spill_dir=str(tmp_path)):
        worker = Worker.remote()
        refs = [worker.make.remote(number) for number in range(10)]
        refs += [pa.put([pa.put(number), bytes([number]) * MEGABYTE]) for number in range(10, 20)]
        refs += [pa.put([Counter.remote(), bytes([number]) * MEGABYTE]) for number in range(20, 23)]
        pa.wait(refs, num_returns=len(refs), timeout=120)
        gc.collect()

        wait_until(lambda: len(files(tmp_path)) >= 15, "what does not fit to be on disk")
        assert [pa.get(pa.get(ref)[0], timeout=60) for ref in refs[:20]] == list(range(20))
        assert pa.get([worker.first.remote(ref) for ref in refs[:20]], timeout=120) == list(range(20))
        assert [pa.get(pa.get(ref)[0].add.remote(1), timeout=60) for ref in refs[20:]] == [2, 2, 2]

        refs.clear()
        gc.collect()
        wait_until(lambda: not files(tmp_path), "the disk to be free")


def test_a_disk_that_takes_nothing_is_said_with_the_figures_and_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pa.init(workers=0, object_store_bytes_max=LIMIT, spill_dir=str(tmp_path / "file")):
        kept = [pa.put(bytes([number]) * MEGABYTE) for number in range(7)]

        with pytest.raises(pa.ObjectStoreFull, match=r"nothing more can be written to disk") as caught:
            kept += [pa.put(bytes(MEGABYTE)) for _ in range(2)]

        assert caught.value.limit == LIMIT
        assert [pa.get(ref)[0] for ref in kept] == list(range(7))
        kept.clear()
        gc.collect()
        assert pa.get(pa.put(bytes(MEGABYTE))) == bytes(MEGABYTE)


@pytest.mark.parametrize(
    ("option", "value"), [("object_store_bytes_max", -1), ("object_store_bytes_max", 1.5), ("shared_memory", "yes")]
)
def test_options_that_are_none_are_refused(option: str, value: Any) -> None:
    with pytest.raises(pa.ConfigError, match=option):
        pa.init(workers=0, **{option: value})
