"""Packages: folders of files that isolated work is to find on its node, as zips named by the digest of what is in them.

Whoever sends work with a package keeps it for others; a node fetches each once, in pieces over the bulk channel, and
unpacks it into a folder that all its processes, and the other nodes of this user on this machine, share. The folders
are kept below the run directory, CACHE_BYTES_MAX of them together: beyond that, those go that no running node uses,
the one that was used least recently first.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from partisan_actors.errors import NodeError, PartisanError, RuntimeEnvFailed
from partisan_actors.wire.channels import BULK

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.ids import NodeId
    from partisan_actors.scheduler.environment import Environment

__all__ = ["CACHE_BYTES_MAX", "PACKAGE_BYTES_MAX", "Packages", "digest_of"]

SERVICE: Final = "packages"
PIECE_BYTES: Final = 4 << 20
# The bound of one package, and of all the folders that are kept.
PACKAGE_BYTES_MAX: Final = 256 << 20
CACHE_BYTES_MAX: Final = 1 << 30


def digest_of(file: Path) -> str:
    """The name of a package: the digest of its bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with file.open("rb") as zipped:
        while piece := zipped.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


class Packages:
    """What one node has of them."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._fetching: dict[str, asyncio.Task[str]] = {}
        # Held open, so that nobody clears away the folders that this node uses.
        self._locks: dict[str, IO[bytes]] = {}
        self.fetched_count = 0
        system.serve(SERVICE, self, channel=BULK)
        system.on_close.append(self._close)

    def keep(self, zipped: Path, digest: str) -> None:
        """From any thread: keep that file, which is moved, for other nodes to fetch. Raises RuntimeEnvFailed."""
        try:
            self._lock(digest)
            if not _zip(digest).exists():
                os.replace(zipped, _zip(digest))
        except OSError as error:
            raise RuntimeEnvFailed(f"package {digest}", f"it cannot be kept in {_folder()} ({error})") from error

    async def piece(self, peer: Any, digest: str, offset: int) -> bytes | None:
        """Another node fetches a package: the bytes from there on, empty at its end; None when it is not here."""
        if not _is_digest(digest):
            return None

        def read() -> bytes | None:
            try:
                with _zip(digest).open("rb") as file:
                    file.seek(offset)
                    return file.read(PIECE_BYTES)
            except FileNotFoundError:
                return None

        return await self._system.loop.run_in_executor(None, read)

    async def fetched(self, environment: Environment) -> list[str]:
        """The folders of its packages here, in their order. Raises RuntimeEnvFailed."""
        return [await self._ready(digest, environment.origin) for digest in environment.packages]

    async def _ready(self, digest: str, origin: NodeId | None) -> str:
        job = self._fetching.get(digest)
        if job is None:
            job = self._system.background.start(self._fetch(digest, origin), f"fetch package {digest}")
            self._fetching[digest] = job
            job.add_done_callback(lambda _: self._fetching.pop(digest, None))
        return await asyncio.shield(job)

    async def _fetch(self, digest: str, origin: NodeId | None) -> str:
        run = self._system.loop.run_in_executor
        what = f"package {digest}"
        if not _is_digest(digest):
            raise RuntimeEnvFailed(what, "that is no digest")
        try:
            self._lock(digest)
            folder = _folder() / digest
            if not folder.exists():
                if not _zip(digest).exists():
                    await self._download(digest, origin)
                await run(None, _unpack, digest, folder)
                self.fetched_count += 1
            os.utime(folder)
            await run(None, _clear, digest)
        except OSError as error:
            raise RuntimeEnvFailed(what, f"it cannot be unpacked in {_folder()} ({error})") from error
        return str(folder)

    async def _download(self, digest: str, origin: NodeId | None) -> None:
        """From where it came, or from whoever has fetched it before."""
        run, why = self._system.loop.run_in_executor, "no node has it any more"
        nodes = [record.node for record in self._system.node.directory.live() if not record.hosted_by]
        first = [origin] if origin is not None else []
        for node in [*first, *(node for node in nodes if node not in first)]:
            if node == self._system.me:
                continue
            import tempfile  # as below: a node may never need it

            with tempfile.NamedTemporaryFile(dir=_folder(), suffix=".part", delete=False) as file:
                try:
                    if await self._copy(node, digest, file):
                        file.flush()
                        if await run(None, digest_of, Path(file.name)) == digest:
                            os.replace(file.name, _zip(digest))
                            return
                        why = f"node {node} has sent other bytes than those"
                except (NodeError, PartisanError) as error:
                    why = str(error)
                finally:
                    with contextlib.suppress(OSError):
                        os.unlink(file.name)
        raise RuntimeEnvFailed(f"package {digest}", why)

    async def _copy(self, node: NodeId, digest: str, file: Any) -> bool:
        offset = 0
        while True:
            piece = await self._system.request(node, SERVICE, "piece", digest, offset, channel=BULK)
            if piece is None:
                return False
            if not piece:
                return True
            offset += len(piece)
            if offset > PACKAGE_BYTES_MAX:
                raise RuntimeEnvFailed(f"package {digest}", f"it has more than {PACKAGE_BYTES_MAX} bytes")
            await self._system.loop.run_in_executor(None, file.write, piece)

    def _lock(self, digest: str) -> None:
        """Keep others from clearing that package away for as long as this node lives."""
        import fcntl  # only here: POSIX has it, and so have isolated processes

        if digest in self._locks:
            return
        _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (_folder() / f"{digest}.lock").open("ab")
        fcntl.flock(lock, fcntl.LOCK_SH)
        self._locks[digest] = lock

    def _close(self) -> None:
        for lock in self._locks.values():
            lock.close()
        self._locks.clear()


def _folder() -> Path:
    from partisan_actors.node.rundir import run_dir  # only here: POSIX has the locks it needs

    return run_dir() / "packages"


def _zip(digest: str) -> Path:
    return _folder() / f"{digest}.zip"


def _is_digest(text: str) -> bool:
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


def _unpack(digest: str, folder: Path) -> None:
    """Whole or not at all, whoever else does the same now. Raises OSError, also for what is no package."""
    import shutil
    import tempfile
    import zipfile

    draft = Path(tempfile.mkdtemp(dir=_folder(), prefix=f"{digest}.", suffix=".part"))
    try:
        with zipfile.ZipFile(_zip(digest)) as zipped:
            zipped.extractall(draft)
        with contextlib.suppress(OSError):  # somebody was faster
            draft.rename(folder)
    except zipfile.BadZipFile as error:
        raise OSError(str(error)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _clear(keep: str) -> None:
    """Remove what nobody uses, the oldest first, until the rest is within the bound."""
    import fcntl
    import shutil

    sizes = {folder: _size(folder) + _size(_zip(folder.name)) for folder in _folders()}
    excess = sum(sizes.values()) - CACHE_BYTES_MAX
    for folder in sorted(sizes, key=_last_used):
        if excess <= 0:
            return
        if folder.name == keep:
            continue
        with (_folder() / f"{folder.name}.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # a node that runs uses it
            shutil.rmtree(folder, ignore_errors=True)
            _zip(folder.name).unlink(missing_ok=True)
            excess -= sizes[folder]


def _folders() -> Iterator[Path]:
    return (path for path in _folder().iterdir() if _is_digest(path.name) and path.is_dir())


def _last_used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*") if path.is_dir() else []
    return sum(file.stat().st_size for file in files if file.is_file())
