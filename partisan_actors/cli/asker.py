"""Who acts on a cluster from a shell, as the nodes' audit logs tell it."""

from __future__ import annotations

import getpass
import os

from partisan_actors.node.config import host_name

__all__ = ["asker"]


def asker() -> str:
    """The user, or the user's number where it has no name (as in many containers), and the host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # KeyError and ImportError: before Python 3.13
        user = f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"
    return f"{user} on {host_name()}"
