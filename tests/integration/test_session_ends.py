"""A session that is over leaves nothing in its process."""

from __future__ import annotations

import os

import psutil
import pytest

import partisan_actors as pa
from tests.integration.programs import is_gone, wait_until


@pa.task
def one() -> int:
    return 1


def test_a_block_that_raises_ends_its_session() -> None:
    def program() -> None:
        with pa.init(workers=1) as session:
            assert pa.get(one.remote(), timeout=60) == 1
            pids.extend(session.worker_pids)
            raise KeyError("by the user")

    pids: list[int] = []
    with pytest.raises(KeyError, match="by the user"):
        program()

    assert not pa.is_initialized()
    wait_until(lambda: all(map(is_gone, pids)), "its workers to end")


@pytest.mark.slow
def test_twenty_sessions_leave_no_process_and_no_file_open() -> None:
    process = psutil.Process()

    def session() -> None:
        with pa.init(workers=1):
            assert pa.get(one.remote(), timeout=60) == 1

    session()  # what is loaded once
    children, files = process.children(recursive=True), process.num_fds()
    for _ in range(20):
        session()

    assert process.children(recursive=True) == children
    assert process.num_fds() <= files + 2
    assert not [each for each in process.net_connections() if each.status == psutil.CONN_LISTEN], os.getpid()
