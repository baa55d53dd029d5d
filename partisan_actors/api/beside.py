"""A dashboard in the process of a node: what may be said of it, and how it is found, since it stands above this floor.

It is a program of its own, which looks at the node like any other client; so it is known by name only, as the module is
that workers run.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from partisan_actors.errors import ConfigError
from partisan_actors.wire.addresses import parse_address

if TYPE_CHECKING:
    from partisan_actors.node.node import Node

__all__ = ["Beside", "Dashboard", "check_dashboard", "open_beside"]

ENTRANCE: Final = "partisan_actors.dashboard.beside"

# False: none; True: at the usual port, or another one if that is taken; PORT; "HOST:PORT" or "PORT"; or its options.
Dashboard = bool | int | str | Mapping[str, Any]


class Beside(Protocol):
    """A dashboard that runs."""

    @property
    def url(self) -> str:
        """Where a browser finds it, with the token, if it needs one."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


def check_dashboard(wanted: Any) -> Any:
    """What was wanted, if that makes sense so far. Raises ConfigError."""
    allowed = "True, False, a port, 'HOST:PORT', or a dict of options"
    if isinstance(wanted, str):
        parse_address(wanted if not wanted.isdigit() else f"127.0.0.1:{wanted}")
    elif not isinstance(wanted, (bool, int, Mapping)):
        raise ConfigError("dashboard", wanted, allowed)
    return wanted


async def open_beside(node: Node, wanted: Dashboard) -> Beside:
    """Run one for this node. Raises ConfigError when it cannot listen, or an option of it makes no sense."""
    config = node.config
    module = importlib.import_module(ENTRANCE)
    opened: Beside = await module.open_beside(wanted, node.address, config.cookie, node.cluster, config.tls)
    return opened
