"""`rpc` and `multicall`: a function run on a given node, or on many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from partisan_actors.api import session
from partisan_actors.api.task import RemoteFunction
from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.node.forward_options import ForwardOptions
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.tasks.rpc import NodeCalls

__all__ = ["NodeResult", "multicall", "multicall_async", "rpc"]

# How many nodes are called at once; the next when one has answered.
AT_ONCE_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What one node answered: its id, and either the `value` or the `error`, of which the other is None."""

    node: str
    value: Any = None
    error: BaseException | None = None


Forward = ForwardOptions | Mapping[str, Any] | None


def rpc(
    node: str | NodeId,
    function: Callable[..., Any],
    /,
    *args: Any,
    timeout: float | None = None,
    forward: Forward = None,
    **kwargs: Any,
) -> ObjectRef[Any]:
    """Run `function` on the node of that name, or of that id (`name~incarnation`, one life of it). Returns at once.

    Unlike a task, it is neither placed nor queued for resources, and never tried again. Coroutine functions run on the
    node's loop, others on a thread of the node's. The ref gives what the function returns; it raises what it raised
    (as a TaskFailed that is also of the original class), NodeDown for a node that is not there or goes down meanwhile,
    ActorUnavailable when the connection broke in the middle, and CallTimeout after `timeout` seconds: then a coroutine
    is cancelled there, what waits for a thread does not begin, and what runs on one goes on unheeded.

    What this node forwards by (``init(forward=...)``: acknowledged, on which channel, whether others may pass it on)
    holds for these calls, too; `forward`, `ForwardOptions` or a map of some, goes before it.

    Raises TypeError for what cannot be called, ConfigError for a node, a timeout or an option that is none,
    SerializationError for a function or an argument that cannot be sent.
    """
    if isinstance(function, RemoteFunction):
        function = function.function
    if not callable(function):
        raise TypeError(f"rpc takes a function, not a {type(function).__name__}")
    _check_node(node)
    _check_timeout(timeout)
    calls: NodeCalls = session.system().extensions["rpc"]
    return calls.call(node, function, args, kwargs, timeout, forward)


def multicall(
    nodes: Iterable[str | NodeId] | None,
    function: Callable[..., Any],
    /,
    *args: Any,
    timeout: float | None = None,
    forward: Forward = None,
    **kwargs: Any,
) -> list[NodeResult]:
    """Run `function` on each of the nodes, or on all that are up when that is None, and wait for all of them.

    Returns what each of them answered, or why it did not, in the order of `nodes`. `timeout`, from when it begins, and
    `forward` are for each call, as in `rpc`; at most 256 nodes are called at once. Blocks; raises as `rpc` does for bad
    arguments, and RuntimeError on the node's own loop: there is `multicall_async`.
    """
    if asyncio._get_running_loop() is session.system().loop:
        raise RuntimeError("multicall would block the loop that it waits for: await multicall_async there")
    names = _names(nodes)
    calling: list[ObjectRef[Any]] = []
    results = []
    for place in range(len(names)):
        while len(calling) < min(len(names), place + AT_ONCE_MAX):
            calling.append(rpc(names[len(calling)], function, *args, timeout=timeout, forward=forward, **kwargs))
        calling[place].wait()
        results.append(_result(names[place], calling[place]))
    return results


async def multicall_async(
    nodes: Iterable[str | NodeId] | None,
    function: Callable[..., Any],
    /,
    *args: Any,
    timeout: float | None = None,
    forward: Forward = None,
    **kwargs: Any,
) -> list[NodeResult]:
    """`multicall` for coroutines, on any loop."""
    names = _names(nodes)
    room = asyncio.Semaphore(AT_ONCE_MAX)

    async def call(name: str) -> NodeResult:
        async with room:
            ref = rpc(name, function, *args, timeout=timeout, forward=forward, **kwargs)
            try:
                await ref
            except Exception:
                if not ref.done():
                    raise
            return _result(name, ref)

    return await asyncio.gather(*[call(name) for name in names])


def _result(name: str, ref: ObjectRef[Any]) -> NodeResult:
    error = ref.exception()
    return NodeResult(name, None, error) if error is not None else NodeResult(name, ref.result())


def _names(nodes: Iterable[str | NodeId] | None) -> list[str]:
    if isinstance(nodes, str):
        raise TypeError("multicall takes a list of nodes; for one there is rpc")
    if nodes is None:
        return [str(record.node) for record in session.system().node.directory.live() if not record.hosted_by]
    names = []
    for node in nodes:
        _check_node(node)
        names.append(str(node))
    return names


def _check_node(node: object) -> None:
    if not isinstance(node, (str, NodeId)) or not str(node):
        raise ConfigError("node", node, "the name or the id of a node")


def _check_timeout(timeout: object) -> None:
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and timeout > 0):  # type: ignore[operator]  # a number
        raise ConfigError("timeout", timeout, "a positive number of seconds")
