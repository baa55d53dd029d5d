"""Ways from one node to another: a, b, c and d in memory, where a reaches d directly, over TLS or by others."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.authority import Authority
from tests.integration.nodes import Nodes, nodes

__all__ = ["WAYS", "check_way", "four"]

WAYS = ("direct", "TLS", "three hops")


@asynccontextmanager
async def four(way: str, folder: Path, **settings: Any) -> AsyncIterator[Nodes]:
    """Nodes a, b, c and d, where a reaches d in that way; code in the block belongs to a."""
    if way == "TLS":
        settings = {**settings, "tls": Authority(folder).issue()}
    if way != "three hops":
        async with nodes("a", "b", "c", "d", **settings) as cluster:
            with cluster.at("a"):
                yield cluster
        return
    settings = {**settings, "overlay": "static", "routing": "relay"}
    async with nodes("a", **settings) as cluster:
        for before, name in itertools.pairwise("abcd"):
            await cluster.add(name, contact=before, **settings)
        with cluster.at("a"):
            yield cluster


def check_way(way: str, cluster: Nodes) -> None:
    """Whether a reaches d as it should."""
    a, d = (cluster[name].node for name in "ad")
    peer = a.router.peer(d.me)
    if way == "three hops":
        assert not peer.is_connected  # nor ever was: b is the only node that a may dial
    if way == "TLS":
        assert all(connection.certificate for connection in a.dialling.connections())
