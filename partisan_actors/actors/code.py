"""Classes and functions on their way between nodes: content-addressed, decoded once, sent to each node once."""

from __future__ import annotations

import hashlib
import weakref
from collections import OrderedDict
from typing import Any, Final

from partisan_actors.node.router import Peer
from partisan_actors.wire.payload import decode, encode_code

__all__ = ["CodeStore"]

CODES_MAX: Final = 4096


class CodeStore:
    """What one node knows of the code it sends and runs, by the hash of its bytes. At most CODES_MAX, oldest out."""

    def __init__(self) -> None:
        self._blobs: OrderedDict[bytes, bytes] = OrderedDict()
        self._decoded: dict[bytes, Any] = {}
        self._hashes: weakref.WeakKeyDictionary[Any, bytes] = weakref.WeakKeyDictionary()

    def add(self, code: Any, what: str, sent: Any = None) -> bytes:
        """Encode a class or function, or `sent`, which arrives as it; returns its hash.

        Raises SerializationError naming `what`.
        """
        known = self._hashes.get(code)
        if known is None or known not in self._blobs:
            known = self.keep(encode_code(code if sent is None else sent, what))
            self._hashes[code] = known
            self._decoded.setdefault(known, code)
        return known

    def keep(self, blob: bytes) -> bytes:
        """Remember encoded code; returns its hash."""
        digest = hashlib.blake2b(blob, digest_size=16).digest()
        self._blobs[digest] = blob
        while len(self._blobs) > CODES_MAX:
            old, _ = self._blobs.popitem(last=False)
            self._decoded.pop(old, None)
        return digest

    def blob(self, digest: bytes) -> bytes | None:
        """The bytes, or None when they were forgotten or never here."""
        return self._blobs.get(digest)

    def blob_for(self, peer: Peer, digest: bytes) -> bytes | None:
        """The bytes if that peer was not sent them yet, else None."""
        if peer.is_self or digest in peer.sent_code:
            return None
        peer.sent_code.add(digest)
        return self._blobs[digest]

    def load(self, digest: bytes) -> Any:
        """The class or function. Raises KeyError when its bytes are not here, and whatever unpickling it raises."""
        code = self._decoded.get(digest)
        if code is None:
            code = self._decoded[digest] = decode(self._blobs[digest])
        return code
