"""The keys under which messages find who they are for: what is not an actor by its id, and what a key says to people.

An actor's own key has KEY_BYTES bytes (`ref.actor_key`). The keys here have another length, so none is taken for it.
"""

from __future__ import annotations

from typing import Final

from partisan_actors.actors.namespaces import shown

__all__ = ["INBOX", "KEY_BYTES", "described_key", "is_service", "name_key", "service_key"]

KEY_BYTES: Final = 12
# What is sent to a node itself.
INBOX: Final = b"@inbox"
# No text has this byte in UTF-8.
_PAD: Final = b"\xff"


def service_key(name: str) -> bytes:
    """The key that messages to the service `name` carry. Raises ValueError for a name that cannot be one."""
    key = b"@" + name.encode()
    if len(key) == KEY_BYTES:
        raise ValueError(f"the service {name!r} would have a key as long as an actor's: choose another name")
    return key


def name_key(name: str) -> bytes:
    """The key of the actor of that name, with its namespace, on whichever node the message is sent to."""
    key = b"=" + name.encode("utf-8", "surrogatepass")
    return key if len(key) != KEY_BYTES else key + _PAD


def is_service(key: bytes) -> bool:
    """Whether a message with that key is for a part of the framework, and not for an actor."""
    return key.startswith(b"@") and len(key) != KEY_BYTES


def described_key(key: bytes) -> str:
    """Whom a key means, for people, when nothing else is known of it."""
    if len(key) == KEY_BYTES:
        return f"with key {key.hex()}"
    if key == INBOX:
        return "to take what is sent to a node itself (pa.on_message)"
    text = key[1:].removesuffix(_PAD).decode("utf-8", "replace")
    return f"named {shown(text)}" if key.startswith(b"=") else f"of service {text!r}"
