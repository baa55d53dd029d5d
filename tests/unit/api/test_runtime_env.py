"""Tests of `runtime_env`: what is refused, what is packed, and who has a package then."""

from __future__ import annotations

import asyncio
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from partisan_actors.api import runtime_env
from partisan_actors.api.options import ActorOptions, TaskOptions
from partisan_actors.api.runtime import Runtime
from partisan_actors.api.runtime_env import check_runtime_env, environment_for
from partisan_actors.errors import ConfigError, RuntimeEnvFailed
from partisan_actors.scheduler import packages
from partisan_actors.scheduler.environment import NO_ENVIRONMENT, Environment
from partisan_actors.transport.memory import MemoryNetwork
from tests.unit.api.runtimes import runtimes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files, and such as nobody wants to send."""
    made = tmp_path / "work"
    (made / "data" / "deep").mkdir(parents=True)
    (made / "__pycache__").mkdir()
    (made / "main.py").write_text("X = 1")
    (made / "__pycache__" / "main.pyc").write_text("no")
    (made / "data" / "a.csv").write_text("1,2")
    (made / "data" / "deep" / "b.bin").write_bytes(b"\0" * 100)
    return made


@pytest.fixture(autouse=True)
def _run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTISAN_RUN_DIR", str(tmp_path / "run"))


@pytest.fixture
async def pair() -> AsyncIterator[list[Runtime]]:
    """Two nodes of one cluster."""
    async with runtimes(MemoryNetwork(), "a", "b") as made:
        yield made


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("x", "runtime_env"),
        ({"env_var": {}}, "env_var"),
        ({"env_vars": {"A": 1}}, "env_vars"),
        ({"env_vars": {"A=B": "1"}}, "env_vars"),
        ({"env_vars": ["A"]}, "env_vars"),
        ({"working_dir": "/there/is/no/such/folder"}, "working_dir"),
        ({"working_dir": 7}, "working_dir"),
        ({"py_modules": "one"}, "py_modules"),
        ({"py_modules": ["/there/is/no/such/module.py"]}, "py_modules"),
        ({"py_modules": [os]} | {"excludes": "x"}, "excludes"),
    ],
)
def test_what_is_no_runtime_env_is_refused_by_name(given: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        check_runtime_env(given)


@pytest.mark.parametrize("key", ["pip", "conda", "container", "uv"])
def test_what_ray_has_and_this_has_not_is_told_with_what_to_do(key: str) -> None:
    with pytest.raises(NotImplementedError, match=r"partisan start"):
        check_runtime_env({key: ["requests"]})


@pytest.mark.parametrize("options", [ActorOptions(), TaskOptions()])
def test_options_are_checked_where_they_are_given(options: ActorOptions | TaskOptions) -> None:
    with pytest.raises(ConfigError, match="isolation"):
        options.with_({"isolation": "thread"})
    with pytest.raises(ConfigError, match="working_dir"):
        options.with_({"runtime_env": {"working_dir": "/there/is/no/such/folder"}})


def test_only_what_wants_a_process_or_has_an_environment_is_isolated() -> None:
    assert ActorOptions().isolated(NO_ENVIRONMENT) is None
    assert ActorOptions(isolation="process").isolated(NO_ENVIRONMENT) == "process"
    assert TaskOptions().isolated(Environment((("A", "1"),))) == "process"


async def test_variables_are_added_and_the_rest_takes_the_place_of_what_there_was(pair: list[Runtime]) -> None:
    runtime = pair[0]
    runtime.environment = Environment((("A", "1"), ("B", "1")), "f" * 32)

    changed = environment_for(runtime, {"env_vars": {"B": "2", "C": "3"}})

    assert changed == Environment((("A", "1"), ("B", "2"), ("C", "3")), "f" * 32)
    assert environment_for(runtime, None) == runtime.environment


async def test_a_folder_is_fetched_by_another_node_without_what_is_excluded(pair: list[Runtime], folder: Path) -> None:
    a, b = pair
    made = environment_for(a, {"working_dir": str(folder), "excludes": ["data/deep"]})
    forget(made.working_dir, a)

    (there,) = await b.scheduler.packages.fetched(made)

    files = sorted(str(path.relative_to(there)) for path in Path(there).rglob("*") if path.is_file())
    assert files == ["data/a.csv", "main.py"]
    assert made.origin == a.node.me


def forget(digest: str, origin: Runtime) -> None:
    """Take the zip out of the folder that both nodes of a test share, and have its origin serve it from memory."""
    path = packages._zip(digest)
    data = path.read_bytes()
    path.unlink()

    async def piece(peer: Any, digest: str, offset: int) -> bytes:
        return data[offset : offset + 1000]

    origin.scheduler.packages.piece = piece  # type: ignore[method-assign]  # in pieces that are smaller than usual


async def test_a_package_is_unpacked_once(pair: list[Runtime], folder: Path) -> None:
    a, b = pair
    made = environment_for(a, {"working_dir": str(folder)})

    folders = await asyncio.gather(*[b.scheduler.packages.fetched(made) for _ in range(5)])

    assert len({tuple(folder) for folder in folders}) == 1
    assert b.scheduler.packages.fetched_count == 1


async def test_other_bytes_than_those_named_are_not_unpacked(pair: list[Runtime], folder: Path) -> None:
    a, b = pair
    made = environment_for(a, {"working_dir": str(folder)})
    packages._zip(made.working_dir).unlink()

    async def piece(peer: Any, digest: str, offset: int) -> bytes:
        return b"evil" if offset == 0 else b""

    a.scheduler.packages.piece = piece  # type: ignore[method-assign]  # a node that lies

    with pytest.raises(RuntimeEnvFailed, match="other bytes"):
        await b.scheduler.packages.fetched(made)


async def test_no_digest_is_a_path(pair: list[Runtime]) -> None:
    a, b = pair
    assert await a.scheduler.packages.piece(b.node.router.peer(b.node.me), "../../etc/passwd", 0) is None
    with pytest.raises(RuntimeEnvFailed, match="no digest"):
        await b.scheduler.packages.fetched(Environment(working_dir="../x"))


async def test_what_is_too_large_is_told_where_it_is_given(
    pair: list[Runtime], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_env, "PACKAGE_BYTES_MAX", 50)

    with pytest.raises(RuntimeEnvFailed, match="excludes"):
        environment_for(pair[0], {"working_dir": str(folder)})


def test_the_same_files_are_the_same_package_whenever_they_were_written(folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    runtime_env._zip(folder, "", (), first)
    os.utime(folder / "main.py", (0, 0))

    runtime_env._zip(folder, "", (), second)

    assert first.read_bytes() == second.read_bytes()
    assert "__pycache__/main.pyc" not in zipfile.ZipFile(first).namelist()


async def test_what_nobody_uses_goes_first_beyond_the_bound(
    pair: list[Runtime], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    old = environment_for(a, {"working_dir": str(folder)})
    (left_over,) = await b.scheduler.packages.fetched(old)
    a.scheduler.packages._close()
    b.scheduler.packages._close()
    os.utime(left_over, (1, 1))
    monkeypatch.setattr(packages, "CACHE_BYTES_MAX", 10)

    (used,) = await b.scheduler.packages.fetched(environment_for(a, {"working_dir": str(folder / "data")}))

    assert Path(used).exists() and not Path(left_over).exists()
