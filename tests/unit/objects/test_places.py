"""Places: directories of one life of a node, which are swept away when it is over and never before."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.objects.places import NEW_S, Place, disk_base, left_over, memory_base, sweep

NODE = NodeId("a", 0x10)


def test_a_place_is_there_until_it_is_closed_and_leaves_nothing(tmp_path: Path) -> None:
    base = tmp_path / "base"
    place = Place(base, "a cluster/of.mine", NODE)
    (place.path / "file").write_bytes(b"data")

    assert place.path.name == "a~10"
    assert place.path.parent.parent == base
    assert place.path.stat().st_mode & 0o777 == 0o700

    place.close()
    place.close()
    assert not base.exists()


def test_a_place_of_a_node_that_lives_is_not_swept(tmp_path: Path) -> None:
    place = Place(tmp_path / "base", "c", NODE)
    (place.path / "file").write_bytes(b"data")

    assert sweep(tmp_path / "base") == 0
    assert (place.path / "file").exists()
    place.close()


def test_what_a_killed_process_leaves_behind_is_swept(tmp_path: Path) -> None:
    base = tmp_path / "base"
    program = (
        "import os, pathlib, signal\n"
        "from partisan_actors.ids import NodeId\n"
        "from partisan_actors.objects.places import Place\n"
        f"place = Place(pathlib.Path({str(base)!r}), 'c', NodeId('b', 1))\n"
        "(place.path / 'file').write_bytes(b'data')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], timeout=150, check=False)
    mine = Place(base, "c", NODE)
    assert (base / "c" / "b~1" / "file").exists()

    assert left_over(base, time.time()) == [], "its node may be about to lock it"
    assert left_over(base, time.time() + 2 * NEW_S) == [base / "c" / "b~1"]
    assert sweep(base) == 1
    assert left_over(base, time.time() + 2 * NEW_S) == []
    assert [path.name for path in sorted((base / "c").iterdir())] == ["a~10", "a~10.lock"]
    mine.close()
    assert not base.exists()


def test_a_directory_without_its_lock_is_left_over(tmp_path: Path) -> None:
    left = tmp_path / "base" / "c" / "x~1"
    left.mkdir(parents=True)
    (left / "file").write_bytes(b"data")

    assert sweep(tmp_path / "base") == 1
    assert not left.exists()


def test_nobody_else_gets_the_place_of_a_node_that_lives(tmp_path: Path) -> None:
    place = Place(tmp_path / "base", "c", NODE)

    with pytest.raises(BlockingIOError):
        Place(tmp_path / "base", "c", NODE)
    place.close()


def test_a_base_that_others_may_look_into_is_not_used(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir(mode=0o755)
    base.chmod(0o755)

    with pytest.raises(PermissionError, match="closed to others"):
        Place(base, "c", NODE)


def test_where_the_bases_are_can_be_said(tmp_path: Path) -> None:
    assert memory_base({"PARTISAN_SHM_DIR": "/x"}) == Path("/x")
    assert disk_base("", {"TMPDIR": str(tmp_path)}) == tmp_path / f"partisan-actors-spill-{os.getuid()}"
    assert disk_base("/y", {}) == Path("/y") / f"partisan-actors-spill-{os.getuid()}"
