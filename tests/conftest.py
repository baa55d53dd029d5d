"""Makes the tests independent of how, where and how often they are run."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# Examples are the same in every run, and it does not matter how long they take: a property that fails has found
# something, for everybody. To look further, say `--hypothesis-profile=exploring`.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("exploring", PATIENT)
settings.register_profile("repeatable", PATIENT, derandomize=True)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    """What a shell has a job in the background ignore, the programs that tests start would ignore as well."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)
