"""Tests of how long a node stays awake for an answer: what the environment may say, and where it never does."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.node.patience import VARIABLE, busy_wait
from partisan_actors.transport.busy_wait import PATIENCE_S, BusyWait


def with_processors(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)


def made(environ: dict[str, str]) -> BusyWait | None:
    return busy_wait(asyncio.get_running_loop(), time.perf_counter, environ)


@pytest.mark.parametrize(("text", "seconds"), [(None, PATIENCE_S), ("", PATIENCE_S), ("50", 50e-6), ("10000", 0.01)])
async def test_a_node_waits_as_long_as_the_environment_says(
    text: str | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_processors(monkeypatch, 2)

    waiting = made({} if text is None else {VARIABLE: text})

    assert waiting is not None
    assert waiting._patience_s == pytest.approx(seconds)


async def test_it_never_does_with_a_patience_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with_processors(monkeypatch, 2)

    assert made({VARIABLE: "0"}) is None


async def test_it_never_does_on_one_processor_where_it_would_keep_the_answer_from_coming(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_processors(monkeypatch, 1)

    assert made({}) is None


@pytest.mark.parametrize("text", ["soon", "-1", "10001", "nan"])
async def test_what_is_no_patience_is_refused_with_what_is_allowed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_processors(monkeypatch, 2)

    with pytest.raises(ConfigError, match=r"PARTISAN_BUSY_WAIT_US.*microseconds"):
        made({VARIABLE: text})
