"""Makes the tests independent of how they were started."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """What a shell has a job in the background ignore, the programs that tests start would ignore as well."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)
