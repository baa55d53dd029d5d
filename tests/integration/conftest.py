"""Clusters of real processes on loopback, shared by the tests of a module, and the proof that nothing is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import partisan_actors as pa
from tests.integration.programs import Programs, wait_until, workers_of


@pytest.fixture(scope="session", autouse=True)
def _own_cookie(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or makes the cookie of the user who runs it."""
    cookie = tmp_path_factory.mktemp("cookie") / "cookie"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTISAN_COOKIE_FILE", str(cookie))
        patch.delenv("PARTISAN_COOKIE", raising=False)
        for name in ("ADDRESS", "TLS_DIR", "TLS_CERT", "TLS_KEY", "TLS_CA"):
            patch.delenv(f"PARTISAN_{name}", raising=False)
        yield cookie


@pytest.fixture(scope="module", autouse=True)
def _no_session_is_left() -> Iterator[None]:
    """After the last test of a module this process has no session and no worker."""
    yield
    left_open = pa.is_initialized()
    pa.shutdown()
    assert not left_open, "a test left its session open"
    wait_until(lambda: not workers_of(os.getpid()), "the workers of this process to end")


@pytest.fixture(scope="module")
def cluster() -> Iterator[pa.Session]:
    """This process's session with two workers, for all tests of the module."""
    with pa.init(workers=2) as session:
        yield session


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Python programs in processes of their own. All of them, and what they started, must be gone at the end."""
    with Programs(tmp_path) as started:
        yield started
