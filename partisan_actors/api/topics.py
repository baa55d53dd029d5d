"""Topics: `broadcast` a value to every subscriber in the cluster, `subscribe` a function or a method of an actor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from partisan_actors.actors.subscriptions import Subscription, Subscriptions
from partisan_actors.api import session
from partisan_actors.api.methods import ActorMethod
from partisan_actors.wire.channels import BROADCAST

__all__ = ["broadcast", "subscribe"]


def broadcast(topic: str, value: Any, *, channel: str = BROADCAST, to_self: bool = True) -> None:
    """Send a copy of `value` to every subscriber of `topic`, on every node of the cluster.

    Returns as soon as the value is on its way: nobody knows how many subscribers there are. Each of those on nodes
    that are members now gets it at most once; nodes that join later do not get it. Values of one sender usually arrive
    in the order in which they were broadcast, which is not promised. `channel` is the channel it travels on.
    With `to_self` False, subscribers on this node do not get it.

    While a neighbour reads too slowly, a thread waits here, and a coroutine gets Overloaded. Raises ConfigError for a
    bad topic or channel and for a value of more than a megabyte (`put` it, and broadcast the ref), SerializationError
    for a value that cannot be sent, and NotYetConnected after `shutdown()`.
    """
    _subscriptions().broadcast(topic, value, channel=channel, to_self=to_self)


def subscribe(topic: str, callback: Callable[[Any], object] | ActorMethod[..., Any]) -> Subscription:
    """Have `callback` called with every value broadcast under `topic` from now on, until that is cancelled.

    A method of the running actor gets values through its mailbox, until the actor ends; one that is restarted has to
    subscribe again, as it does when it subscribes in its constructor or `on_start`. A method of a handle is told each
    value. An ``async`` function is awaited on the node's loop; any other function is called on a thread of its own.
    Each gets one value after the other. What it raises is logged. Values that find 10,000 others waiting are dropped.

    Raises ConfigError, and NotYetConnected after `shutdown()`.
    """
    target = callback.tell if isinstance(callback, ActorMethod) else callback
    return _subscriptions().subscribe(topic, target)


def _subscriptions() -> Subscriptions:
    subscriptions: Subscriptions = session.system().extensions["topics"]
    return subscriptions
