"""`stream`: one random stream per (node, purpose), all from one seed.

Streams are independent: one draw more on one node, or for one purpose, shifts nothing anywhere else, so a failing run
stays close to itself while it is being looked into.
"""

from __future__ import annotations

import hashlib
import random

from partisan_actors.protocols.machine import Peer

__all__ = ["stream"]


def stream(seed: int, node: Peer, purpose: str) -> random.Random:
    """The stream of `node` for `purpose`; the same in every process."""
    name = f"{seed}/{node}/{purpose}".encode()
    return random.Random(int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big"))
