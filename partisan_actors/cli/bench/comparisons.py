"""The rows that are ratios to the floor: who calls what, from where, pinned how."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from partisan_actors.cli.bench import floor
from partisan_actors.cli.bench.peers import AwaitedPeer, BlockingPeer
from partisan_actors.cli.bench.pinning import Layout, layouts, pinned, separate_layout
from partisan_actors.cli.bench.rows import CALLS_IN_FLIGHT, PAYLOAD_BYTES
from partisan_actors.cli.bench.samples import Comparison
from partisan_actors.cli.bench.turns import (
    Plan,
    Recording,
    compare_awaited,
    compare_blocking,
    sample_awaited,
    sample_blocking,
)

if TYPE_CHECKING:
    from partisan_actors.cli.bench.ours import OurPeer

__all__ = [
    "await_other_thread",
    "await_own_loop",
    "blocking_get",
    "bytes_argument",
    "in_flight",
    "in_flight_plain_thread",
    "sync_method",
]

Open = Callable[[], AbstractAsyncContextManager[AwaitedPeer]]
Comparisons = tuple[Comparison, ...]
Sampler = Callable[[float], list[float]]


def await_own_loop(plan: Plan, open_ours: Open) -> Comparisons:
    """One call at a time of an async method, on the caller's own loop."""
    return _on_own_loop(plan, open_ours, layouts(), _add, _add)


def sync_method(plan: Plan, open_ours: Open) -> Comparisons:
    """One call at a time of a sync method, on the caller's own loop."""
    return _on_own_loop(plan, open_ours, layouts(), _add, _add_sync)


def in_flight(plan: Plan, open_ours: Open) -> Comparisons:
    """Many calls in flight, from the caller's own loop."""
    return _on_own_loop(plan, open_ours, (separate_layout(),), _burst, _burst)


def bytes_argument(plan: Plan, open_ours: Open) -> Comparisons:
    """One large argument at a time, from the caller's own loop."""
    payload = bytes(PAYLOAD_BYTES)

    def size(peer: AwaitedPeer) -> Awaitable[object]:
        return peer.size(payload)

    return _on_own_loop(plan, open_ours, (separate_layout(),), size, size)


def await_other_thread(plan: Plan) -> Comparisons:
    """One call at a time from a loop of the caller's, while the node's loop runs in another thread."""

    def our_sampler(peer: OurPeer, runner: asyncio.Runner) -> Sampler:
        return lambda seconds: runner.run(sample_awaited(lambda: peer.add(1), seconds))

    return _on_background_loop(plan, layouts(), _add, our_sampler)


def blocking_get(plan: Plan) -> Comparisons:
    """One call at a time from a thread without a loop."""
    return _from_plain_thread(plan, layouts(), _add, lambda peer: peer.add_and_get(1))


def in_flight_plain_thread(plan: Plan) -> Comparisons:
    """Many calls in flight from a thread without a loop."""
    return _from_plain_thread(
        plan, (separate_layout(),), _burst, lambda peer: peer.add_and_get_many(1, CALLS_IN_FLIGHT)
    )


def _add(peer: AwaitedPeer) -> Awaitable[object]:
    return peer.add(1)


def _add_sync(peer: AwaitedPeer) -> Awaitable[object]:
    return peer.add_sync(1)


async def _burst(peer: AwaitedPeer) -> None:
    refs = [peer.add(1) for _ in range(CALLS_IN_FLIGHT)]
    for ref in refs:
        await ref


def _on_own_loop(
    plan: Plan,
    open_ours: Open,
    modes: tuple[Layout, ...],
    floor_operation: Callable[[AwaitedPeer], Awaitable[object]],
    our_operation: Callable[[AwaitedPeer], Awaitable[object]],
) -> Comparisons:
    recording = Recording()

    async def sitting() -> None:
        async with floor.opened() as theirs, open_ours() as peer:
            for layout in modes:
                with pinned(layout, (theirs.pid, peer.pid)):
                    await compare_awaited(
                        recording, layout.mode, plan, lambda: floor_operation(theirs), lambda: our_operation(peer)
                    )

    for _ in range(plan.sittings):
        floor.run(sitting())
    return recording.comparisons()


def _from_plain_thread(
    plan: Plan,
    modes: tuple[Layout, ...],
    floor_operation: Callable[[AwaitedPeer], Awaitable[object]],
    our_operation: Callable[[BlockingPeer], object],
) -> Comparisons:
    def our_sampler(peer: OurPeer, _: asyncio.Runner) -> Sampler:
        return lambda seconds: sample_blocking(lambda: our_operation(peer), seconds)

    return _on_background_loop(plan, modes, floor_operation, our_sampler)


def _on_background_loop(
    plan: Plan,
    modes: tuple[Layout, ...],
    floor_operation: Callable[[AwaitedPeer], Awaitable[object]],
    our_sampler: Callable[[OurPeer, asyncio.Runner], Sampler],
) -> Comparisons:
    from partisan_actors.cli.bench import ours

    recording = Recording()

    # The floor is at its best on a loop of its own in this thread, so that is where it is sampled. That loop stands
    # still between its turns, so that our turn finds a thread without a running loop.
    def sitting() -> None:
        with floor.new_runner() as runner, floor.serving() as (pid, port), ours.on_background_loop() as peer:
            theirs = runner.run(floor.connect(pid, port))
            sample_ours = our_sampler(peer, runner)
            for layout in modes:
                with pinned(layout, (pid, peer.pid)):
                    compare_blocking(
                        recording,
                        layout.mode,
                        plan,
                        lambda seconds: runner.run(sample_awaited(lambda: floor_operation(theirs), seconds)),
                        sample_ours,
                    )
            theirs.close()

    for _ in range(plan.sittings):
        sitting()
    return recording.comparisons()
