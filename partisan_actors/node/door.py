"""The way a node gets its byte streams: TCP unless it was given another one, and TLS over it if it has certificates."""

from __future__ import annotations

import asyncio
import logging

from partisan_actors.node.config import NodeConfig
from partisan_actors.node.tls import Credentials
from partisan_actors.node.troubles import Troubles
from partisan_actors.transport.base import Transport
from partisan_actors.transport.tcp import TcpTransport
from partisan_actors.transport.tls import TlsTransport

__all__ = ["open_door"]


def open_door(
    config: NodeConfig, loop: asyncio.AbstractEventLoop, given: Transport | None, troubles: Troubles
) -> tuple[Transport, Credentials | None]:
    """The transport to use, and the certificates it uses. Raises ConfigError when those do not work."""
    door = given or TcpTransport(loop)
    if config.tls is None:
        return door, None

    def tell(text: str) -> None:
        troubles.tell("TLS files", text, level=logging.WARNING)

    credentials = Credentials(config.tls, config.name, tell)
    return TlsTransport(loop, door, credentials.context), credentials
