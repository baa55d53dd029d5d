"""The protocol stack of a node: the overlay that its configuration asks for, with broadcast and exchange over it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.node.broadcasts import make_broadcast
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.overlay_names import class_of, own_options
from partisan_actors.node.overlay_options import options_from
from partisan_actors.protocols.broadcast.exchange import Exchange, ExchangeOptions
from partisan_actors.protocols.broadcast.handlers import HandlerOptions, Handlers
from partisan_actors.protocols.contained import Contained
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.protocols.stack import ProtocolStack

__all__ = ["make_stack", "make_strategy", "neighbours_min", "shared_options", "with_own_options"]


def make_stack(
    me: NodeId, config: NodeConfig, rng: random.Random, is_known: Callable[[Peer], bool] = lambda peer: True
) -> ProtocolStack:
    """The machines of one node, each with a random stream of its own; the strategy is kept within bounds.

    `is_known` says whether a peer can be reached. Raises ConfigError for a bad overlay, or a bad option of it.
    """
    streams = [random.Random(rng.getrandbits(64)) for _ in range(4)]
    strategy = Contained(me, make_strategy(me, config.overlay, config.overlay_options, streams[0]), is_known)
    in_mesh = config.overlay == "full_mesh"
    broadcast = make_broadcast(me, config.broadcast, config.broadcast_options, streams[1], in_mesh=in_mesh)
    handlers = Handlers(me, HandlerOptions(), streams[3], lambda: broadcast.lazy)
    options = ExchangeOptions(neighbours_only=config.routing == "relay")
    return ProtocolStack(me, strategy, broadcast, Exchange(me, options, streams[2]), handlers)


def make_strategy(me: Peer, overlay: str, given: Mapping[str, Any], rng: random.Random) -> MembershipStrategy:
    """The membership strategy of that name with the options `given`. Raises ConfigError, which says what is allowed.

    A class without `options_type` gets the options as they are given.
    """
    cls = class_of(overlay)
    options_type = getattr(cls, "options_type", None)
    options = dict(given) if options_type is None else options_from(options_type, given)
    try:
        strategy: MembershipStrategy = cls(me, options, rng)
    except ConfigError:
        raise
    except Exception as error:  # a user's constructor may raise anything
        what = f"what {cls.__name__} takes ({type(error).__name__}: {error})"
        raise ConfigError("overlay_options", dict(given), what) from error
    return strategy


def with_own_options(config: NodeConfig, *, joins: bool) -> NodeConfig:
    """`config` with the options that are each node's own, unless it has them: a client's, for one that joins a star."""
    own = own_options(config.overlay, joins=joins)
    if not own:
        return config
    sources = config.sources if config.overlay_options else {"overlay_options": "default", **config.sources}
    return replace(config, overlay_options={**own, **config.overlay_options}, sources=sources)


def shared_options(config: NodeConfig) -> dict[str, Any]:
    """The options that all nodes of a cluster share: those of this node, without its own."""
    own = own_options(config.overlay, joins=True)
    return {name: value for name, value in config.overlay_options.items() if name not in own}


def neighbours_min(config: NodeConfig) -> int:
    """How many neighbours a node should have at least, where there are so many nodes: its overlay's `active_min`, or 1.

    Raises ConfigError as `make_strategy` does.
    """
    options_type = getattr(class_of(config.overlay), "options_type", None)
    options = options_from(options_type, config.overlay_options) if options_type is not None else None
    return int(getattr(options, "active_min", 1))
