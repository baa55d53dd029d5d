"""Who sends the spans: the attributes of the node and its process that every span of theirs is exported under."""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Mapping
from functools import cache
from typing import Final

from partisan_actors.ids import NodeId
from partisan_actors.telemetry import events
from partisan_actors.telemetry.options import TracingOptions

__all__ = ["DEFAULT_SERVICE_NAME", "package_version", "resource_attributes"]

DEFAULT_SERVICE_NAME: Final = "partisan-actors"

_UNNAMED: Final = "unknown_service"  # how the SDK begins the name of a service that nobody has named


def resource_attributes(
    node: NodeId, cluster: str, options: TracingOptions, known: Mapping[str, object]
) -> dict[str, str | int]:
    """What to add to `known`, which the user's provider or the environment has said already.

    Names and versions the user gave are kept; what only the node knows is always set.
    """
    name = options.service_name or _known_name(known) or DEFAULT_SERVICE_NAME
    attributes: dict[str, str | int] = {
        events.SERVICE_NAME: f"{name}@{node.name}" if options.service_name_per_node else name,
        events.SERVICE_INSTANCE_ID: f"{node}/{os.getpid()}",
        events.HOST_NAME: socket.gethostname(),
        events.PROCESS_PID: os.getpid(),
        events.PROCESS_RUNTIME_NAME: sys.implementation.name,
        events.PROCESS_RUNTIME_VERSION: platform.python_version(),
        events.NODE_NAME: node.name,
        events.NODE_INCARNATION: node.incarnation,
    }
    if events.SERVICE_VERSION not in known:
        attributes[events.SERVICE_VERSION] = package_version()
    if cluster and events.SERVICE_NAMESPACE not in known:
        attributes[events.SERVICE_NAMESPACE] = cluster
    return attributes


@cache
def package_version() -> str:
    """The version of partisan_actors, "0" in a checkout that is not installed."""
    from importlib import metadata  # a seventh of what a worker imports, for what few ask

    try:
        return metadata.version("partisan-actors")
    except metadata.PackageNotFoundError:
        return "0"


def _known_name(known: Mapping[str, object]) -> str:
    name = str(known.get(events.SERVICE_NAME, ""))
    return "" if name.startswith(_UNNAMED) else name
