"""How long a connection's packets take to the other end and back, as the kernel has measured: no message is sent."""

from __future__ import annotations

import socket
import struct
from typing import Any, Final

__all__ = ["round_trip_s"]

# Of Linux's `struct tcp_info`: where the smoothed round trip is, in microseconds.
_INFO_BYTES: Final = 104
_RTT_OFFSET: Final = 68


def round_trip_s(transport: Any) -> float | None:
    """In seconds; None where the system does not say, as off Linux, in memory, and before anything has come back."""
    option = getattr(socket, "TCP_INFO", None)
    stream = transport.get_extra_info("socket") if transport is not None and option is not None else None
    if stream is None:
        return None
    try:
        info = stream.getsockopt(socket.IPPROTO_TCP, option, _INFO_BYTES)
    except OSError:  # closed meanwhile, or no TCP
        return None
    if len(info) < _RTT_OFFSET + 4:
        return None
    (microseconds,) = struct.unpack_from("=I", info, _RTT_OFFSET)
    return microseconds / 1e6 if microseconds else None
