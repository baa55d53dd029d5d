"""What happens between real processes when a peer is slower than its callers: threads wait, coroutines are told."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.on_loop import on_loop
from tests.integration.programs import wait_until

MEGABYTE = 1024 * 1024
CHANNELS = {"bulk": {"queue_bytes_max": 32 * MEGABYTE}}


@pa.actor
class Sink:
    def __init__(self) -> None:
        self.received = 0

    def take(self, data: bytes) -> int:
        self.received += len(data)
        return self.received

    def total(self) -> int:
        return self.received


def test_a_thread_that_sends_faster_than_its_peer_takes_waits_and_loses_nothing() -> None:
    with pa.init(workers=1, channels=CHANNELS) as session:
        sink = Sink.remote()
        pa.get(sink.total.remote())
        sent = 0

        def send() -> None:
            nonlocal sent
            for _ in range(200):
                sink.take.tell(b"x" * MEGABYTE)
                sent += 1

        thread = threading.Thread(target=send, daemon=True)
        pa.get(sink.take.remote(b"x" * MEGABYTE))  # and now there is a bulk connection
        connection = on_loop(session, lambda: _bulk_connection(session))
        os.kill(session.worker_pids[0], signal.SIGSTOP)
        try:
            thread.start()
            wait_until(lambda: connection.is_clogged, "the queue to fill")
            held_at = sent
        finally:
            os.kill(session.worker_pids[0], signal.SIGCONT)
        thread.join(timeout=120)

        assert held_at < 64
        assert pa.get(sink.total.remote(), timeout=120) == 201 * MEGABYTE


async def test_a_coroutine_that_sends_faster_than_its_peer_takes_is_told_so() -> None:
    async with pa.init(workers=1, channels={"bulk": {"queue_bytes_max": 8 * MEGABYTE}}) as session:
        sink = Sink.remote()
        await sink.take.remote(b"x" * MEGABYTE)
        os.kill(session.worker_pids[0], signal.SIGSTOP)
        try:
            refs = []
            for _ in range(64):
                refs.append(sink.take.remote(b"x" * MEGABYTE))
                await asyncio.sleep(0)
            refused = [ref for ref in refs if ref.done()]
            assert refused, "nothing was refused although 64 MiB wait behind a queue of 8"
            with pytest.raises(pa.Overloaded, match=r"queue.*8388608 bytes.*slow down"):
                await refused[0]
        finally:
            os.kill(session.worker_pids[0], signal.SIGCONT)
        taken = len(refs) - len(refused)

        assert await sink.total.remote() == (taken + 1) * MEGABYTE


def test_a_thread_is_told_of_overload_where_it_is_not_to_wait() -> None:
    channels = {"calls": {"overflow": "error"}, "bulk": {"queue_bytes_max": 8 * MEGABYTE}}
    with pa.init(workers=1, channels=channels) as session:
        sink = Sink.remote()
        pa.get(sink.take.remote(b"x" * MEGABYTE))
        os.kill(session.worker_pids[0], signal.SIGSTOP)
        try:
            refs = [sink.take.remote(b"x" * MEGABYTE) for _ in range(64)]
            wait_until(lambda: any(ref.done() for ref in refs), "a call to be refused")
            refused = next(ref for ref in refs if ref.done())
            with pytest.raises(pa.Overloaded, match="slow down"):
                pa.get(refused)
        finally:
            os.kill(session.worker_pids[0], signal.SIGCONT)

        assert pa.get(sink.total.remote()) >= MEGABYTE


def _bulk_connection(session: pa.Session) -> Any:
    peers = session.runtime.node.router.peers.values()
    return next(peer.lanes["bulk"][0] for peer in peers if peer.lanes["bulk"][0] is not None)
