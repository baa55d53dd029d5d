"""Whether, and for how long, a node's loop stays awake for an answer: see `transport.busy_wait`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Final

from partisan_actors.errors import ConfigError
from partisan_actors.transport.busy_wait import PATIENCE_S, BusyWait

__all__ = ["VARIABLE", "busy_wait"]

VARIABLE: Final = "PARTISAN_BUSY_WAIT_US"
MOST_US: Final = 10_000.0


def busy_wait(
    loop: asyncio.AbstractEventLoop, clock: Callable[[], float], environ: Mapping[str, str]
) -> BusyWait | None:
    """That of `loop`, for as many microseconds as the environment says; None for 0, or where there is one processor.

    There, and where processes cannot give way to each other, it would only keep the answer from coming. Raises
    ConfigError.
    """
    patience_s = _patience_s(environ)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if not patience_s or processors < 2:
        return None
    return BusyWait(loop.call_soon, clock, os.sched_yield, patience_s)


def _patience_s(environ: Mapping[str, str]) -> float:
    text = environ.get(VARIABLE)
    if not text:
        return PATIENCE_S
    try:
        patience_us = float(text)
    except ValueError:
        patience_us = -1.0
    if not 0.0 <= patience_us <= MOST_US:
        raise ConfigError(VARIABLE, text, f"microseconds, from 0 (never) to {MOST_US:,.0f}")
    return patience_us / 1e6
