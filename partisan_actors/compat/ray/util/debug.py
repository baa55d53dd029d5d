"""`ray.util.debug`: what is logged once, or once a minute."""

from __future__ import annotations

import threading
import time
from typing import Final

from partisan_actors.compat.ray.absent import refuser_of

__all__ = ["disable_log_once_globally", "enable_periodic_logging", "log_once", "reset_log_once"]

PERIOD_S: Final = 60.0
# More are not remembered: the one that nobody has asked about for the longest is forgotten, and may be logged again.
KEYS_MAX: Final = 10_000

__getattr__ = refuser_of("util.debug")

_lock: Final = threading.Lock()
_since: Final[dict[str, float]] = {}
_is_off = _is_periodic = False


def log_once(key: str) -> bool:
    """Whether to log what has that key: True the first time in this process, and with periodic logging each minute."""
    now = time.monotonic()
    with _lock:
        if _is_off:
            return False
        since = _since.pop(key, None)
        is_due = since is None or (_is_periodic and now - since > PERIOD_S)
        _since[key] = now if since is None or is_due else since
        if len(_since) > KEYS_MAX:
            del _since[next(iter(_since))]
        return is_due


def disable_log_once_globally() -> None:
    """`log_once` says False from now on, in this process."""
    global _is_off
    _is_off = True


def enable_periodic_logging() -> None:
    """`log_once` says True once a minute for a key."""
    global _is_periodic
    _is_periodic = True


def reset_log_once(key: str | None = None) -> None:
    """Forget that key, or all."""
    with _lock:
        if key is None:
            _since.clear()
        else:
            _since.pop(key, None)
