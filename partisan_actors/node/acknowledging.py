"""Acknowledgements that are owed: one for each stream that something came on, when the read it came with is handled."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from partisan_actors.errors import PartisanError
from partisan_actors.node.parties import Incoming, Party
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["Acknowledging"]

logger = logging.getLogger(__name__)


class AcknowledgingHost(Protocol):
    """What is needed of the node."""

    loop: asyncio.AbstractEventLoop


class Acknowledging:
    """What one node owes to others."""

    def __init__(self, host: AcknowledgingHost) -> None:
        self._host = host
        self._owing: list[Party] = []
        self._handle: asyncio.Handle | None = None

    def owe(self, incoming: Incoming) -> None:
        """Something came on that stream, of which nothing was owed yet."""
        incoming.is_owed = True
        party = incoming.party
        if not party.owed:
            self._owing.append(party)
        party.owed.append(incoming)
        if self._handle is None:
            self._handle = self._host.loop.call_soon(self._send)

    def _send(self) -> None:
        self._handle = None
        owing, self._owing = self._owing, []
        for party in owing:
            owed, party.owed = party.owed, []
            for each in owed:
                each.is_owed = False
                window = each.window
                packed = pack([Kind.ACK, each.key, window.epoch, window.last, window.early(), party.clocks])
                try:
                    party.peer.send(packed, each.channel, each.lane)
                except PartisanError as error:  # the message comes again, and then this does
                    logger.debug("an acknowledgement to %s is lost: %s", party.peer, error)

    def close(self) -> None:
        """The node stops."""
        if self._handle is not None:
            self._handle.cancel()
