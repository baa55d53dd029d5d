"""Makes the tests independent of how, where and how often they are run."""

from __future__ import annotations

import gc
import signal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# Examples are the same in every run, and it does not matter how long they take: a property that fails has found
# something, for everybody. To look further, say `--hypothesis-profile=exploring`.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("exploring", PATIENT)
settings.register_profile("repeatable", PATIENT, derandomize=True)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """The same examples in every process, and signals for the programs that tests start."""
    if config.getoption("hypothesis_profile", None) is None:
        draw_no_constants()
    # What a shell has a job in the background ignore, those programs would ignore as well.
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_finish() -> None:
    """Keep Python's collector from the thousands of tests, which stay anyway.

    Looking through them takes a quarter of a second, in which no thread of this process does anything else; on a
    machine that does ten things at once that is long enough for other nodes to take this one to be down.
    """
    gc.collect()
    gc.freeze()


def draw_no_constants() -> None:
    """Keep Hypothesis from drawing numbers and texts that it finds in the modules of this process.

    Which modules these are depends on the tests that pytest-xdist gave the process before, and so would the examples.
    """
    none = providers._local_constants  # as long as it has not looked
    providers._get_local_constants = lambda: none
