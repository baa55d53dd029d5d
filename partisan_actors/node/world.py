"""`World`: what a node takes from outside beside its loop and its transport. A simulated node is given another one."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable

from partisan_actors.node.config import host_name
from partisan_actors.values import dataclass

__all__ = ["World"]


@dataclass(frozen=True, slots=True)
class World:
    """The wall clock in nanoseconds, where unguessable bytes come from, and what names this process and its machine.

    `shares_memory` says whether nodes of one machine may map files of each other.
    """

    wall_clock_ns: Callable[[], int] = time.time_ns
    token_bytes: Callable[[int], bytes] = secrets.token_bytes
    process_id: Callable[[], int] = os.getpid
    host_name: Callable[[], str] = host_name
    shares_memory: bool = True
