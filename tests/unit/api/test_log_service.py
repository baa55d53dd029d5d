"""Tests of the factory of records while nodes come and go beside a program's own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from partisan_actors.api.log_service import LogService
from partisan_actors.transport.memory import MemoryNetwork
from tests.unit.api.runtimes import runtimes


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


async def rows_of(logs: LogService) -> list[str]:
    return [row["message"] for row in (await logs.tail(None, {"logger": "tests.factories"}))["rows"]]


async def test_a_program_s_factory_around_ours_outlives_a_node_and_the_next_node_sees_what_is_logged() -> None:
    made: list[str] = []
    async with runtimes(MemoryNetwork(), "a"):
        ours = logging.getLogRecordFactory()

        def theirs(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = ours(*args, **kwargs)
            made.append(record.getMessage())
            return record

        logging.setLogRecordFactory(theirs)
    assert logging.getLogRecordFactory() is theirs

    async with runtimes(MemoryNetwork(), "b") as (b,):
        logging.getLogger("tests.factories").warning("once")
        assert await rows_of(b.logs) == ["once"]

    assert made.count("once") == 1
    assert logging.getLogRecordFactory() is theirs
