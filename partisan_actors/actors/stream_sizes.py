"""How large the message was that an item of a stream came in: counted for streams that are traced, and no others."""

from __future__ import annotations

from functools import partial
from typing import Any

from partisan_actors.actors.producing import KEY
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["item_bytes"]


def item_bytes(args: Any, meta: dict[str, Any]) -> int:
    """What `Outgoing` counted when it sent this item, which is packed once more for that; `args` as in `Message`."""
    if not callable(args):
        return len(pack([Kind.TELL, KEY, "item", *args]))
    body, buffers = args.args if isinstance(args, partial) else (None, None)
    return len(pack([Kind.TELL_PICKLED, KEY, "item", meta, body])) + sum(map(len, buffers or ()))
