"""What the facts about a process and its host mean: open files, shared memory, and the disk for what is spilled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from partisan_actors.cli.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, share_text
from partisan_actors.cli.measured import bytes_text
from partisan_actors.cli.table import counted

__all__ = ["judge_disk", "judge_files", "judge_shared_memory"]

# A node dials at most some hundreds of others, with a connection for each channel.
FDS_WANTED: Final = 4096
# As Docker gives a container, and too little for one large array.
SHM_BYTES_SMALL: Final = 64 * 1024 * 1024
SPILL_BYTES_FREE: Final = 1 << 30
SPILL_BYTES_NONE: Final = 64 * 1024 * 1024
NEARLY_ALL: Final = 0.9


def judge_files(where: str, facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the process may open as many files, connections among them, as it will."""
    used, limit = facts["fds"], facts["fd_limit"]
    remedy = f"raise the limit before the node is started: ulimit -n {16 * FDS_WANTED}, or LimitNOFILE= of its service"
    if limit is None:
        yield Finding(OK, "open files", where, "there is no limit")
    elif used is not None and used >= NEARLY_ALL * limit:
        text = f"{used} of {limit} are open; the next connection may be refused"
        yield Finding(ERROR, "open files", where, text, remedy)
    elif limit < FDS_WANTED:
        text = f"at most {limit} may be open, connections among them; a node of a large cluster needs {FDS_WANTED}"
        yield Finding(WARNING if limit < FDS_WANTED // 4 else NOTE, "open files", where, text, remedy)
    else:
        yield Finding(OK, "open files", where, f"{used if used is not None else '?'} of {limit}")


def judge_shared_memory(where: str, facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether nodes of this host have room to share what is large."""
    room = facts["shared_memory"]
    more = "give it more: mount -o remount,size=2G /dev/shm, or docker run --shm-size=2g; or do without: "
    more += "--no-shared-memory"
    if room["why"]:
        text = f"{room['path']} cannot be used ({room['why']}): large values are sent, and not shared"
        yield Finding(WARNING, "shared memory", where, text, "make it writable, or set PARTISAN_SHM_DIR")
        return
    size, free = room["bytes"], room["bytes_free"]
    text = f"{bytes_text(free)} of {bytes_text(size)} are free in {room['path']}"
    if free <= (1 - NEARLY_ALL) * size:
        yield Finding(WARNING, "shared memory", where, f"{text}: large values will be sent, and not shared", more)
    elif size <= SHM_BYTES_SMALL:
        yield Finding(WARNING, "shared memory", where, f"{text}, which is little", more)
    else:
        yield Finding(OK, "shared memory", where, text)
    yield from _left_over(where, "shared memory", room)


def judge_disk(where: str, facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether there is room for values that do not fit into memory."""
    room = facts["spill"]
    remedy = "free some, or give another place with --spill-dir DIR (spill_dir= of init)"
    if room["why"]:
        text = f"{room['path']} cannot be used ({room['why']}): what does not fit into memory is refused"
        yield Finding(WARNING, "disk", where, text, remedy)
        return
    free = room["bytes_free"]
    text = f"{bytes_text(free)} ({share_text(free, room['bytes'])}) are free for what is spilled to {room['path']}"
    severity = ERROR if free < SPILL_BYTES_NONE else WARNING if free < SPILL_BYTES_FREE else OK
    yield Finding(severity, "disk", where, text, "" if severity == OK else remedy)
    yield from _left_over(where, "disk", room)


def _left_over(where: str, check: str, room: Mapping[str, Any]) -> Iterator[Finding]:
    if room["left_over"]:
        count, size = len(room["left_over"]), bytes_text(room["left_over_bytes"])
        text = f"{counted(count, 'node')} that {'are' if count > 1 else 'is'} gone left {size} in {room['path']}"
        yield Finding(NOTE, check, where, text, "the next node that starts here takes it away")
