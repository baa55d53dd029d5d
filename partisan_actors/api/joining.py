"""What a process looks at before it becomes a node of a running cluster, to say at once what does not fit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from partisan_actors.api.inspection import INSPECT, LIVE
from partisan_actors.api.observer import Observer
from partisan_actors.errors import ConfigError
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.node import Transport
from partisan_actors.node.overlay_options import merged
from partisan_actors.node.saved_members import SavedMembers
from partisan_actors.node.sources import with_source
from partisan_actors.values import dataclass
from partisan_actors.wire.addresses import parse_address

__all__ = ["AUTO", "Fitting", "contacts_of", "fit_to_cluster", "fit_to_saved"]

AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class Fitting:
    """The node to become, and the names of the members that the contact took to be up."""

    config: NodeConfig
    members: frozenset[str]


async def fit_to_cluster(
    config: NodeConfig, contacts: Sequence[str], *, any_overlay: bool, transport: Transport | None = None
) -> Fitting:
    """The node that `config` describes, as the cluster behind `contacts` wants it: `any_overlay` takes its overlay.

    The broadcast, and the options of both, are those of the contact, but for the options that `config` has.

    Raises ConfigError when the overlay is another one, for nodes of two overlays never find together, or when a node of
    that name answers there, for a second one would push it out. Raises NotYetConnected when no contact answers, and
    AuthenticationError when one is not ours.
    """
    async with Observer(config.cookie, config.cluster, tls=config.tls, transport=transport) as observer:
        await observer.connect(contacts)
        status = await observer.ask(observer.contact, INSPECT, "status")
        live = [row for row in await observer.members() if row["state"] in LIVE]
        namesakes = [row for row in live if row["name"] == config.name]
        # A record may be that of a node that has just crashed, and is being started again: only who answers counts.
        for answer in await observer.ask_all(namesakes, INSPECT, "status"):
            if answer.why is None:
                there = ", ".join(answer.row["addresses"])
                raise ConfigError("name", config.name, f"a name that no node of the cluster has; {there} has this one")
    overlay = status["overlay"]
    if not any_overlay and overlay != config.overlay:
        raise ConfigError("overlay", config.overlay, f"{overlay}, as in the cluster that is to be joined, or none")
    fitted = replace(
        config,
        overlay=overlay,
        overlay_options=merged(status["overlay_options"], config.overlay_options),
        broadcast=status["broadcast"],
        broadcast_options=merged(status["broadcast_options"], config.broadcast_options),
    )
    fitted = with_source(config, fitted, "cluster that was joined")
    return Fitting(fitted, frozenset(row["name"] for row in live))


def contacts_of(address: str, cluster: str) -> list[str]:
    """Where to join: that address, or for AUTO what the environment or this machine offers. Raises ConfigError."""
    if address == AUTO:
        found = os.environ.get("PARTISAN_ADDRESS")
        if not found:
            from partisan_actors.node.rundir import contacts_of_only_cluster  # only here: POSIX has the locks it needs

            return contacts_of_only_cluster(cluster)
        address = found
    parse_address(address)
    return [address]


def fit_to_saved(config: NodeConfig, *, any_overlay: bool) -> NodeConfig:
    """The node that `config` describes, as it was when it saved its members: `any_overlay` takes the overlay of then.

    A file that cannot be used changes nothing here: the node itself tells of it when it starts.
    """
    if not config.data_dir:
        return config
    try:
        saved = SavedMembers(config.data_dir, config.name).read()
    except (OSError, ValueError):
        return config
    if saved is None or saved.name != config.name or not (any_overlay or saved.overlay == config.overlay):
        return config
    options = merged(saved.overlay_options, config.overlay_options)
    broadcast_options = merged(saved.broadcast_options, config.broadcast_options)
    fitted = replace(config, overlay=saved.overlay, overlay_options=options, broadcast_options=broadcast_options)
    return with_source(config, fitted, f"file of members in {config.data_dir}")
