"""Entering and leaving a cluster while a program runs, and putting others out: `join`, `leave`, `evict`.

They are for the node of this process. On its own loop nothing that waits is allowed: there, use ``asyncio.to_thread``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from partisan_actors.api import session
from partisan_actors.errors import CallTimeout
from partisan_actors.node.membership import Membership

__all__ = ["evict", "join", "leave", "update_members"]

T = TypeVar("T")

# What takes no time, and waits for a loop only that may be busy; and a leave, with its goodbyes.
BUSY_LOOP_S: Final = 10.0
LEAVE_S: Final = 10.0


def join(address: str, *, timeout: float | None = None) -> None:
    """Have this process's node enter the overlay of the node at `address`, "host:port", beside where it is already.

    Without `timeout` this returns at once: the node dials in the background, some times with back-off, and says in the
    log when it gives up. With one, it returns when every channel has all its connections to that node. Raises
    ConfigError for what is no address or is this node's own, and with `timeout` also NotYetConnected when it has passed
    or the other node refuses this one, AuthenticationError when that is none of ours.
    """
    if timeout is None:
        _tell(lambda membership: membership.join(address), "join")
    else:
        # Longer, so that the error is the one that says what is missing.
        _wait(lambda membership: membership.sync_join(address, timeout), "join", timeout + BUSY_LOOP_S)


def leave() -> None:
    """Have this process's node leave its cluster, and go on as one that is alone; `join` takes it back.

    Its actors end here, and restartable ones are restarted elsewhere; what it waits for from others ends with NodeDown.
    Until it joins again, it takes nobody in. Returns when it has no connection to the others any more.
    """
    _wait(Membership.leave, "leave", LEAVE_S)


def evict(name: str) -> None:
    """Put the node of that name out of the cluster: for all others it has left, and it is alone until it joins again.

    Raises ConfigError when no other node of that name is up.
    """
    _tell(lambda membership: membership.evict(name), "evict")


def update_members(addresses: Sequence[str], *, replace: bool = False) -> None:
    """Join, in the background, every one of `addresses` at which no member is: what a discovery has found.

    A list that leaves members out does them no harm, unless with `replace`: then those at none of the addresses are
    put out. Raises ConfigError as `join` and `evict` do, before anything is done.
    """
    _tell(lambda membership: membership.update_members(addresses, replace=replace), "update_members")


def _tell(what: Callable[[Membership], T], name: str) -> T:
    membership = session.system().node.membership

    async def do() -> T:
        return what(membership)

    if asyncio._get_running_loop() is session.system().loop:
        return what(membership)
    return _on_loop(do(), name, BUSY_LOOP_S)


def _wait(what: Callable[[Membership], Coroutine[Any, Any, T]], name: str, timeout_s: float) -> T:
    system = session.system()
    if asyncio._get_running_loop() is system.loop:
        raise RuntimeError(f"{name} would block the node's own loop: use `await asyncio.to_thread({name}, ...)` there")
    return _on_loop(what(system.node.membership), name, timeout_s)


def _on_loop(job: Coroutine[Any, Any, T], name: str, timeout_s: float) -> T:
    done = asyncio.run_coroutine_threadsafe(job, session.system().loop)
    try:
        return done.result(timeout_s)
    except TimeoutError as error:
        done.cancel()
        raise CallTimeout(name, timeout_s) from error
