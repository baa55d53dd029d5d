"""The ways from this host to nodes on others: how large packets may be, and whether large messages come through.

Where a link on the way carries less than both ends think, and the messages that would say so (ICMP) are dropped, small
messages arrive and large ones hang: connections are made, and then stand still.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from partisan_actors.api.checkup import CHECKUP
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.cli.doctor.findings import ERROR, NOTE, OK, Finding
from partisan_actors.errors import ConfigError
from partisan_actors.wire.addresses import is_loopback, parse_address

__all__ = ["Way", "find_ways", "judge_ways", "mtu_to"]

# Ethernet's, and what nearly everybody expects.
MTU_USUAL: Final = 1500
# Some dozens of packets, and within the first window of no connection.
PROBE_BYTES: Final = 64 * 1024
# Of Linux, from <linux/in.h> and <linux/in6.h>: the socket module has no names for them.
_IP_MTU: Final = 14
_IPV6_MTU: Final = 24


@dataclass(frozen=True, slots=True)
class Way:
    """To a node, at an `address` beyond this host.

    `mtu` is the largest packet that the kernel knows to pass, None where it does not tell; `lost` is why a large
    message was not answered, and empty if it was, or was refused for another reason.
    """

    node: str
    address: str
    mtu: int | None
    lost: str = ""


async def find_ways(observer: Observer, answered: Iterable[Answer]) -> list[Way]:
    """Those to nodes that have answered something small, but for those that listen on loopback only."""
    far = [(answer, address) for answer in answered if (address := _far(answer.row["addresses"])) is not None]
    return list(await asyncio.gather(*(_way(observer, answer.row, address) for answer, address in far)))


async def _way(observer: Observer, row: dict[str, Any], address: str) -> Way:
    answer = await observer.ask_row(row, CHECKUP, "echo", bytes(PROBE_BYTES))
    mtu = await asyncio.to_thread(mtu_to, *parse_address(address))  # a name may have to be looked up
    return Way(row["name"], address, mtu, str(answer.why) if answer.is_silent else "")


def mtu_to(host: str, port: int) -> int | None:
    """The size of packets that this host's kernel would send there, headers included; nothing is sent for it."""
    if sys.platform != "linux":
        return None
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as trying:
            trying.connect(where)
            if family == socket.AF_INET6:
                return trying.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
            return trying.getsockopt(socket.IPPROTO_IP, _IP_MTU)
    except OSError:
        return None


def judge_ways(ways: Sequence[Way]) -> Iterator[Finding]:
    """What they mean."""
    for way in ways:
        size = f"packets of at most {way.mtu} bytes" if way.mtu is not None else "packets of unknown size"
        if way.lost:
            large = f"{PROBE_BYTES // 1024} KiB and back do not ({way.lost})"
            text = f"small messages come through to {way.address}, and {large}"
            remedy = (
                f"this host sends {size} there; some link on the way may carry less, and ICMP be dropped: let it pass, "
                "lower the MTU of the interface, or set net.ipv4.tcp_mtu_probing=1 on both hosts"
            )
            yield Finding(ERROR, "path", way.node, text, remedy)
        elif way.mtu is not None and way.mtu < MTU_USUAL:
            text = f"the way to {way.address} carries {size}, less than Ethernet's {MTU_USUAL}; large messages pass"
            remedy = "nothing is to be done, if all hosts know that (as through a tunnel)"
            yield Finding(NOTE, "path", way.node, text, remedy)
        else:
            text = f"{PROBE_BYTES // 1024} KiB come through to {way.address} and back, in {size}"
            yield Finding(OK, "path", way.node, text)


def _far(addresses: Iterable[str]) -> str | None:
    for address in addresses:
        try:
            if not is_loopback(parse_address(address)[0]):
                return address
        except ConfigError:  # of another version, which writes them in another way
            continue
    return None
