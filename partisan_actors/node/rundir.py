"""Which nodes of this user run on this machine: a small file for each, in a directory of the user's own.

The rules:

1. A file is JSON that only its owner can read. The process that wrote it holds a lock on it for as long as it lives,
   so a file that nobody has locked is left over: whoever looks sweeps it away, and no process id needs to be trusted.
2. A file appears complete and locked, or not at all.
3. Nothing here is a secret, and nothing is believed because it stands here: whoever dials an address still has to
   prove the cluster's cookie.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from partisan_actors.errors import ConfigError, NotYetConnected
from partisan_actors.node.config import host_name

__all__ = ["Announcement", "RunningNode", "contacts_of_only_cluster", "run_dir", "running_clusters"]

FILE_BYTES_MAX: Final = 16 * 1024
SUFFIX: Final = ".json"
DRAFT_SUFFIX: Final = ".draft"


@dataclass(frozen=True, slots=True)
class RunningNode:
    """One running node. `started` is in seconds since 1970; `log` is its log file, if it has one."""

    address: str
    cluster: str
    name: str
    pid: int
    started: float
    host: str
    log: str = ""


def run_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the files are: $PARTISAN_RUN_DIR, else below $XDG_RUNTIME_DIR if that can be used, else below ~/.cache."""
    override = environ.get("PARTISAN_RUN_DIR")
    if override:
        return Path(override)
    session = environ.get("XDG_RUNTIME_DIR")
    if session and os.path.isdir(session) and os.access(session, os.W_OK | os.X_OK):
        return Path(session) / "partisan-actors"
    return Path.home() / ".cache" / "partisan-actors" / "run"


class Announcement:
    """The file of one running node, from here until `close` or the end of the process."""

    def __init__(self, node: RunningNode, directory: Path | None = None) -> None:
        """Write and lock it. Raises ConfigError when the directory cannot be used."""
        directory = directory or run_dir()
        self.path = directory / f"{node.host}.{node.name}.{node.pid}{SUFFIX}"
        draft = self.path.with_suffix(DRAFT_SUFFIX)
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            self._descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                _write_all(self._descriptor, json.dumps(asdict(node)).encode())
                draft.rename(self.path)
            except OSError:
                draft.unlink(missing_ok=True)
                os.close(self._descriptor)
                raise
        except OSError as error:
            raise ConfigError(
                "run directory", str(directory), f"one that can be written ({error.strerror}): set PARTISAN_RUN_DIR"
            ) from error

    def __enter__(self) -> Announcement:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the file away."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def running_clusters(directory: Path | None = None) -> dict[str, list[RunningNode]]:
    """The nodes that run here, by the name of their cluster, the oldest first."""
    clusters: dict[str, list[RunningNode]] = {}
    for node in sorted(_read_all(directory or run_dir()), key=lambda node: (node.started, node.name)):
        clusters.setdefault(node.cluster, []).append(node)
    return clusters


def contacts_of_only_cluster(cluster: str = "") -> list[str]:
    """The addresses of the only cluster that runs here, or of the one named `cluster`.

    Raises NotYetConnected when there is none, and ConfigError, naming them, when there are several.
    """
    clusters = running_clusters()
    if cluster:
        clusters = {name: nodes for name, nodes in clusters.items() if name == cluster}
    if not clusters:
        wanted = f"cluster {cluster!r}" if cluster else "a cluster"
        why = f"none of yours runs on this machine (as {run_dir()} shows): start one with `partisan start`"
        raise NotYetConnected(wanted, why)
    if len(clusters) > 1:
        raise ConfigError("cluster", cluster, f"one of those that run here: {', '.join(sorted(clusters))}")
    ((_, nodes),) = clusters.items()
    return [node.address for node in nodes]


def _read_all(directory: Path) -> Iterator[RunningNode]:
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == SUFFIX)
    except OSError:  # nobody has started anything yet
        return
    for path in paths:
        node = _read(path)
        if node is not None:
            yield node


def _read(path: Path) -> RunningNode | None:
    """The running node that this file tells of; a file that is left over is removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # it has just been taken away, or is not ours to read
        return None
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            return None
        node = RunningNode(**json.loads(os.read(descriptor, FILE_BYTES_MAX)))
        # Hosts may share the directory, as they share a home on a file server: locks and addresses are theirs alone.
        if node.host != host_name():
            return None
        if _is_left_over(descriptor):
            path.unlink(missing_ok=True)
            return None
        return node
    except (OSError, ValueError, TypeError):
        return None
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:  # a disk that is nearly full takes a part
        data = data[os.write(descriptor, data) :]


def _is_left_over(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
