"""What the kernel's counts say of a process that was killed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from partisan_actors.node.memory_kills import MemoryKills, kill_counts

KILLED = int(signal.SIGKILL)


def counts(folder: Path, count: int) -> MemoryKills:
    tell(folder, count)
    kills = MemoryKills([folder / "missing", folder / "memory.events"])
    kills.look()
    return kills


def tell(folder: Path, count: int) -> None:
    (folder / "memory.events").write_text(f"low 0\noom 7\noom_kill {count}\noom_group_kill 0\n")


def test_a_count_that_has_grown_explains_so_many_ends_and_no_more(tmp_path: Path) -> None:
    kills = counts(tmp_path, 3)

    tell(tmp_path, 5)

    assert [kills.explains(KILLED) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("status", [None, 0, 3 << 8, int(signal.SIGTERM), int(signal.SIGSEGV)])
def test_it_explains_no_other_end(tmp_path: Path, status: int | None) -> None:
    kills = counts(tmp_path, 3)
    tell(tmp_path, 4)

    assert not kills.explains(status)
    assert kills.explains(KILLED)


def test_what_was_counted_some_looks_ago_explains_nothing(tmp_path: Path) -> None:
    kills = counts(tmp_path, 3)
    tell(tmp_path, 4)
    kills.look()
    kills.look()

    assert not kills.explains(KILLED)


def test_without_a_count_or_a_look_nothing_is_explained(tmp_path: Path) -> None:
    nowhere = MemoryKills([tmp_path / "missing"])
    nowhere.look()
    tell(tmp_path, 9)
    without_look = MemoryKills([tmp_path / "memory.events"])

    assert not nowhere.explains(KILLED)
    assert not without_look.explains(KILLED)


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("0::/user.slice/run-1", "sys/fs/cgroup/user.slice/run-1/memory.events"),
        ("4:memory:/docker/ab", "sys/fs/cgroup/memory/docker/ab/memory.oom_control"),
        ("4:cpu,memory:/", "sys/fs/cgroup/memory/memory.oom_control"),
        ("3:cpuset:/", "proc/vmstat"),
    ],
)
def test_the_group_s_own_count_comes_first(tmp_path: Path, line: str, first: str) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{line}\n")

    found = kill_counts(tmp_path)

    assert found[0] == tmp_path / first
    assert found[-1] == tmp_path / "proc/vmstat"
