"""`runtime_env`: what users say that an actor or a task is to find around it, checked, and packed for other nodes."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Protocol

from partisan_actors.errors import ConfigError, RuntimeEnvFailed
from partisan_actors.scheduler.packages import PACKAGE_BYTES_MAX, digest_of

if TYPE_CHECKING:
    from partisan_actors.scheduler.environment import Environment
    from partisan_actors.scheduler.scheduler import Scheduler

__all__ = ["check_runtime_env", "environment_for"]

KEYS: Final = ("env_vars", "working_dir", "py_modules", "excludes")
# What Ray has and this has not, and what to do instead.
ELSEWHERE: Final = {
    "pip": "install the packages into the environment that `partisan start` runs in, or ship modules with py_modules",
    "uv": "install the packages into the environment that `partisan start` runs in, or ship modules with py_modules",
    "conda": "run `partisan start` in that conda environment, and ask for its nodes by a label",
    "container": "run `partisan start` in that container, and ask for its nodes by a label",
    "image_uri": "run `partisan start` in that container, and ask for its nodes by a label",
    "py_executable": "run `partisan start` with that interpreter, and ask for its nodes by a label",
    "worker_process_setup_hook": "do it in the constructor of the actor, or at the head of the task",
}
# Never shipped: what Python and version control make.
ALWAYS_EXCLUDED: Final = ("__pycache__", "*.pyc", ".git", ".hg", ".venv")
FILES_MAX: Final = 20_000
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class Starter(Protocol):
    """Whoever starts work: the node's runtime."""

    environment: Environment
    scheduler: Scheduler


_packed: dict[tuple[int, str, str, tuple[str, ...]], str] = {}
_packing = Lock()


def check_runtime_env(given: object) -> None:
    """Raises ConfigError for what is no `runtime_env`, and NotImplementedError for what Ray has and this has not."""
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise ConfigError("runtime_env", given, f"a map with some of {', '.join(KEYS)}")
    for key in given:
        if key in ELSEWHERE:
            raise NotImplementedError(f"runtime_env[{key!r}] is not supported: {ELSEWHERE[key]}")
        if key not in KEYS:
            raise ConfigError("runtime_env", key, f"some of {', '.join(KEYS)}")
    variables = given.get("env_vars", {})
    if not isinstance(variables, Mapping) or not all(
        isinstance(name, str) and isinstance(value, str) and name and "=" not in name and "\0" not in name + value
        for name, value in variables.items()
    ):
        raise ConfigError("runtime_env['env_vars']", variables, "a map from names of variables to text")
    _check_folder(given)
    _patterns(given)
    for module in _modules(given):
        _path_of(module)


def environment_for(runtime: Starter, given: Mapping[str, Any] | None) -> Environment:
    """The environment of work that the running code starts: its own, and what is `given`.

    Variables are added to those that there are, everything else takes their place. Folders are packed as they are now,
    once for each session: later changes are not seen. Raises ConfigError and RuntimeEnvFailed.
    """
    own = runtime.environment
    if not given:
        return own
    excludes = _patterns(given)
    changed = replace(own, variables=tuple(sorted({**dict(own.variables), **given.get("env_vars", {})}.items())))
    folder = given.get("working_dir")
    if folder:
        digest = _package(runtime, Path(folder).absolute(), "", excludes)
        changed = replace(changed, working_dir=digest, origin=runtime.scheduler.node.me)
    modules = _modules(given)
    if modules:
        paths = [_path_of(module) for module in modules]
        digests = tuple(_package(runtime, path, path.name, excludes) for path in paths)
        changed = replace(changed, py_modules=digests, origin=runtime.scheduler.node.me)
    return changed


def _check_folder(given: Mapping[str, Any]) -> None:
    folder = given.get("working_dir")
    if folder is not None and not (isinstance(folder, (str, os.PathLike)) and Path(folder).is_dir()):
        raise ConfigError("runtime_env['working_dir']", folder, "the path of a folder on this machine")


def _patterns(given: Mapping[str, Any]) -> tuple[str, ...]:
    patterns = given.get("excludes", ())
    if isinstance(patterns, str) or not all(isinstance(pattern, str) for pattern in patterns):
        raise ConfigError("runtime_env['excludes']", patterns, 'a list of patterns, as ["data", "*.csv"]')
    return tuple(patterns)


def _modules(given: Mapping[str, Any]) -> Sequence[Any]:
    modules = given.get("py_modules") or ()
    if isinstance(modules, (str, os.PathLike)) or not isinstance(modules, Sequence):
        raise ConfigError("runtime_env['py_modules']", modules, "a list of paths of packages or modules, or modules")
    return modules


def _path_of(module: object) -> Path:
    allowed = "the path of a package or of a .py file on this machine, or a module that was imported from one"
    if isinstance(module, ModuleType):
        file = getattr(module, "__file__", None)
        if file is None:
            raise ConfigError("runtime_env['py_modules']", module, allowed)
        path = Path(file)
        return path.parent.absolute() if path.name == "__init__.py" else path.absolute()
    if isinstance(module, (str, os.PathLike)):
        path = Path(module).absolute()
        if path.is_dir() or (path.is_file() and path.suffix == ".py"):
            return path
    raise ConfigError("runtime_env['py_modules']", module, allowed)


def _package(runtime: Starter, path: Path, name: str, excludes: tuple[str, ...]) -> str:
    """The digest of that folder or file, packed and kept. `name` is what it is called in the package; "": its files."""
    key = (runtime.scheduler.node.me.incarnation, str(path), name, excludes)
    with _packing:
        if key not in _packed:
            import tempfile  # as below: most programs need none of it

            with tempfile.TemporaryDirectory(prefix="partisan-") as folder:
                zipped = Path(folder) / "package.zip"
                _zip(path, name, excludes, zipped)
                digest = digest_of(zipped)
                runtime.scheduler.packages.keep(zipped, digest)
            _packed[key] = digest
        return _packed[key]


def _zip(path: Path, name: str, excludes: tuple[str, ...], target: Path) -> None:
    """Pack so that the same files give the same bytes."""
    import zipfile

    total = count = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        for file, inside in _files(path, name, excludes):
            data = file.read_bytes()
            total, count = total + len(data), count + 1
            if total > PACKAGE_BYTES_MAX or count > FILES_MAX:
                why = (
                    f"it has more than {PACKAGE_BYTES_MAX >> 20} MiB or {FILES_MAX} files: exclude what is not needed "
                    "(runtime_env['excludes']), or keep data where nodes can read it"
                )
                raise RuntimeEnvFailed(str(path), why)
            entry = zipfile.ZipInfo(inside, _EPOCH)
            entry.external_attr = (file.stat().st_mode & 0o777) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, data)


def _files(path: Path, name: str, excludes: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    if path.is_file():
        yield path, name or path.name
        return
    for root, folders, files in os.walk(path):
        here = os.path.relpath(root, path)
        prefix = "" if here == "." else f"{here}/"
        folders[:] = sorted(folder for folder in folders if not _is_excluded(prefix + folder, folder, excludes))
        for file in sorted(files):
            if not _is_excluded(prefix + file, file, excludes) and Path(root, file).is_file():
                yield Path(root, file), "/".join(part for part in (name, prefix + file) if part)


def _is_excluded(inside: str, name: str, excludes: tuple[str, ...]) -> bool:
    patterns = (*ALWAYS_EXCLUDED, *(pattern.strip("/") for pattern in excludes))
    return any(fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(inside, pattern) for pattern in patterns)
