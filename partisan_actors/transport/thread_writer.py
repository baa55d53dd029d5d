"""Writing to a connection from a thread that is not the loop's, when nothing at all waits before.

A blocking method that has computed its reply can write it at once: the loop is not woken, and the reply saves two
context switches, which is half of its time. Whoever writes holds `lock`, which nobody ever waits for: a thread that
does not get it leaves the message to the loop, and a loop that does not get it is called again (`was_missed`).
"""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

__all__ = ["ThreadWriter"]


class ThreadWriter:
    """What threads write one connection with. `rest` is what the socket did not take, and goes before anything else."""

    __slots__ = ("lock", "rest", "socket", "was_missed")

    def __init__(self, descriptor: int) -> None:
        # A descriptor of our own: the transport's may be closed, and its number used again, under a thread's hands.
        self.socket = socket.socket(fileno=os.dup(descriptor))
        self.socket.setblocking(False)
        self.lock = threading.Lock()
        self.rest = b""
        self.was_missed = False

    @classmethod
    def of(cls, transport: Any) -> ThreadWriter | None:
        """A writer for a transport; None where it is no plain socket."""
        sock = transport.get_extra_info("socket")
        if sock is None or transport.get_extra_info("sslcontext") is not None:
            return None
        return cls(sock.fileno())

    def send(self, data: bytes) -> int:
        """Write what the socket takes now; how much that was. With the lock held."""
        try:
            sent = self.socket.send(data)
        except OSError:  # full, or closing: the loop finds out which
            return 0
        self.rest = data[sent:] if sent else b""
        return sent

    def claim_for_loop(self) -> bool:
        """The loop wants to write; False when a thread is at it, which then has the loop called again."""
        if not self.lock.acquire(blocking=False):
            self.was_missed = True
            if not self.lock.acquire(blocking=False):
                return False
            self.was_missed = False
        return True

    def close(self) -> None:
        """Let go of the descriptor, once no thread uses it."""
        with self.lock:
            self.socket.close()
