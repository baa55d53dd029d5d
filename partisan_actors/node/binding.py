"""Where a node listens and where it says that it can be dialled: what may be said, and what comes of it.

The rules this file keeps:

1. A node listens at all addresses that it was given, or does not start. Port 0 is the same free port for all of them.
2. It says that it can be dialled where it was told to say so, or else where it listens. Nobody can dial an address that
   stands for all (0.0.0.0, ::), so who listens there has to be told what to say.
3. Beyond this machine, a node listens only with a cookie or TLS, unless it is told to be `insecure`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.transport.base import Transport
from partisan_actors.wire.addresses import format_address, is_loopback, parse_address, with_port

__all__ = ["ADDRESSES_EACH_MAX", "addresses_in", "advertised", "check_binding", "listen"]

# How many addresses one node may have: whoever dials it tries them one after another.
ADDRESSES_EACH_MAX: Final = 8
# How often another free port is tried when one that is free at the first address is taken at another.
PORT_TRIES: Final = 8

_WILDCARDS: Final = ("0.0.0.0", "::", "0:0:0:0:0:0:0:0")


def addresses_in(field: str, given: Any, default_port: int | None = None) -> tuple[str, ...]:
    """One address or several, or None for none, as a tuple of ``HOST:PORT``. Raises ConfigError."""
    several = (given,) if isinstance(given, str) else given or ()
    if not isinstance(several, (tuple, list)) or not all(isinstance(address, str) for address in several):
        raise ConfigError(field, given, "HOST:PORT, or a list of them")
    if len(several) > ADDRESSES_EACH_MAX:
        raise ConfigError(field, given, f"at most {ADDRESSES_EACH_MAX} addresses")
    return tuple(format_address(*parse_address(address, default_port)) for address in several)


def check_binding(bind: Sequence[str], advertise: Sequence[str], *, is_secure: bool, insecure: bool) -> None:
    """Raises ConfigError when others could not dial a node that listens there, or anybody could."""
    if not bind:
        raise ConfigError("bind", tuple(bind), "one HOST:PORT at least")
    for address in bind:
        host, _ = parse_address(address)
        if not is_loopback(host) and not is_secure and not insecure:
            allowed = "a loopback address, or a cookie or TLS with it: whoever can reach a node can run code on it"
            raise ConfigError("bind", address, f"{allowed} (insecure=True or --insecure if that is what you want)")
        if host in _WILDCARDS and not advertise:
            allowed = f"where others can dial this node, for {address} is no such address (--advertise HOST)"
            raise ConfigError("advertise", tuple(advertise), allowed)
    for address in advertise:
        if parse_address(address)[0] in _WILDCARDS:
            raise ConfigError("advertise", address, "an address of this machine that others can dial")


def advertised(bound: Sequence[str], advertise: Sequence[str]) -> tuple[str, ...]:
    """What to tell others: `advertise`, where port 0 is the bound one, or else what is bound."""
    _, port = parse_address(bound[0])
    return tuple(with_port(address, port) for address in advertise) or tuple(bound)


async def listen(
    transport: Transport, bind: Sequence[str], factory: Callable[[], asyncio.BaseProtocol]
) -> tuple[str, ...]:
    """Accept at every address of `bind`; returns the bound ones. Raises ConfigError, and listens nowhere then."""
    first, *others = bind
    is_free_port = parse_address(first)[1] == 0
    for tries_left in range(PORT_TRIES if is_free_port and others else 1, 0, -1):
        bound = [await transport.listen(first, factory)]
        _, port = parse_address(bound[0])
        try:
            bound += [await transport.listen(with_port(address, port), factory) for address in others]
        except ConfigError:
            await transport.close()
            if tries_left == 1:
                raise
        else:
            break
    return tuple(bound)
