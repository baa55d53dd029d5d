"""`forward`: one message to whatever a reference means, without wanting a reply; and `on_message` of a node.

A message reaches an actor as a tell of its method `on_message(self, message)`, by the same path and with the same
promises as any tell. Only finding out whom a reference means is done here.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any, Final
from zlib import crc32

from partisan_actors.actors.acked import Manner
from partisan_actors.actors.actor import AnyMethods, Interface, Method
from partisan_actors.actors.context import current_cell
from partisan_actors.actors.inbox import MESSAGE, Inbox
from partisan_actors.actors.keys import INBOX, name_key
from partisan_actors.actors.ref import Location
from partisan_actors.actors.references import ActorText, parse
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.actor import ActorHandle, handle_of
from partisan_actors.api.call_options import Way
from partisan_actors.api.lookup import named_actor
from partisan_actors.api.methods import AckedMethod, ActorMethod
from partisan_actors.api.namespaces import key_here
from partisan_actors.api.on_loop import on_loop
from partisan_actors.api.targets import method_of_running_actor, target_of, until_stopped
from partisan_actors.errors import ConfigError, NodeDown
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.forward_options import ForwardOptions
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.wire.channels import CALLS

__all__ = ["Reference", "forward", "on_message", "prepared"]

ALLOWED: Final = (
    "a handle, a method of a handle, an ActorId, the name of an actor, (name, node), a NodeId, or the text of an actor "
    "or a node"
)
# Where a handle keeps them; see `forward`.
_READY: Final = "_forwards"
_METHOD: Final = Method(MESSAGE, "sync", 1, 1)
_UNKNOWN: Final = Interface("Actor", AnyMethods(), Method("__init__", "sync", 0, None))

Reference = ActorHandle[Any] | ActorMethod[..., Any] | AckedMethod[..., Any] | ActorId | NodeId | str | tuple[str, Any]


def forward(
    reference: Reference,
    message: Any,
    *,
    ack: bool | None = None,
    causal: str | None = None,
    channel: str | None = None,
    partition_key: int | str | None = None,
    transitive: bool | None = None,
) -> ObjectRef[None] | None:
    """Send `message` to whatever `reference` means, and return at once; an actor gets it by its `on_message(message)`.

    ================================  ==================================================================================
    a handle, or an ActorId           that actor, wherever it is
    a method of a handle              that method instead of `on_message`, with the options it has
    a text                            what `parse_ref` makes of it, an actor or a node; any other text is a name
    a name                            the actor of that name, wherever in the cluster; from a thread it is looked up,
                                      on an event loop it is one that this node has heard of
    (name, node)                      the actor of that name if it is on that node (a name or a NodeId) when it arrives
    a NodeId                          whoever takes the messages of that node: see `on_message`
    ================================  ==================================================================================

    Options mean what they mean for methods (`ActorMethod.options`). What is not given is what the reference has (a
    class's causal label, the options of a method), or else what ``init(forward=...)`` says. `transitive` says whether
    others may pass it on to a node to which there is no connection; see `ForwardOptions`. With `ack` a ref is
    returned that gets None when the message is in the mailbox, or why it is not (see `AckedMethod.tell`); otherwise
    None. Through one kind of reference, messages arrive in order; through different ones they may overtake each other.

    Raises ConfigError for what is no reference or an option that makes no sense, ActorNotFound for a name that nobody
    has, NodeDown and ActorStopped when this node knows that nobody is there (any more), AttributeError for an actor
    whose class has no such method, SerializationError for what cannot be sent. Without `ack`, what reaches nobody for
    other reasons is a dead letter, counted where that is found out.
    """
    method: ActorMethod[..., Any] | AckedMethod[..., Any] | None = None
    if isinstance(reference, ActorHandle) and causal is channel is partition_key is transitive is None:
        # The usual case: the same each time, so a handle has it ready, as it has its methods.
        ready = reference.__dict__.get(_READY) or _make_ready(reference)
        method = ready[1] if ack is True else ready[0] if ack is None else None
    if method is None:
        system = session.system()
        method = _with_options(system, _method_of(system, reference), ack, causal, channel, partition_key, transitive)
    if isinstance(method, AckedMethod):
        return method.tell(message)
    _check_there(method._location)
    method.tell(message)
    return None


def prepared(
    system: ActorSystem,
    reference: object,
    causal: str | None,
    channel: str | None,
    partition_key: int | str | None,
    transitive: bool | None,
) -> ActorMethod[..., Any] | AckedMethod[..., Any]:
    """The method by whose `tell` a message is forwarded. Raises as `forward` does before it sends anything."""
    method = _method_of(system, reference)
    return _with_options(system, method, None, causal, channel, partition_key, transitive)


def on_message(target: Callable[[Any], Any] | ActorMethod[..., Any]) -> Callable[[], None]:
    """Have `target` take what is forwarded to this process's node itself, in order of arrival. Returns what ends it.

    `target` is a function, a coroutine function or a method of an actor, as for `on_node_up`. There is one at a time:
    ConfigError while there is another. Messages that come while there is none are dead letters. TypeError for what
    cannot be called.
    """
    system = session.system()
    method, cell = method_of_running_actor(system, target), current_cell.get()
    taking = target_of(system, target, method)
    inbox = Inbox(system, taking.tell)

    def end() -> None:
        if system.cells.get(INBOX) is inbox:
            del system.cells[INBOX]

    def begin() -> Callable[[], None]:
        if INBOX in system.cells:
            raise ConfigError("on_message", target, "nothing, until the target that there is has been cancelled")
        system.cells[INBOX] = inbox
        taking.cancel = end
        return end if method is None else until_stopped(system, cell, end)

    cancel = on_loop(system, begin)
    return lambda: system.post(cancel)


# ---- whom a reference means ------------------------------------------------------------------------------------------


def _method_of(system: ActorSystem, reference: object) -> ActorMethod[..., Any] | AckedMethod[..., Any]:
    match reference:
        case ActorMethod() | AckedMethod():
            return reference
        case ActorHandle():
            return _message_method(reference)
        case ActorId():
            return _message_method(handle_of(system, reference, None, False, None, _UNKNOWN))
        case NodeId():
            return _at(system, reference, INBOX, "the inbox of a node", None)
        case (str(name), (None | str() | NodeId()) as node) if name:
            return _at(system, node or system.me, name_key(key_here(system, name, None)), "Actor", name)
        case str() if reference:
            return _method_of_text(system, reference)
    raise ConfigError("reference", reference, ALLOWED)


def _method_of_text(system: ActorSystem, text: str) -> ActorMethod[..., Any] | AckedMethod[..., Any]:
    try:
        found = parse(text)
    except ConfigError:
        if text.startswith(("actor:", "monitor:")):
            raise
        return _message_method(named_actor(system, key_here(system, text, None)))
    if isinstance(found, ActorText):
        return _message_method(handle_of(system, found.actor, found.name, found.can_restart, found.at, _UNKNOWN))
    return _method_of(system, found)


def _message_method(handle: ActorHandle[Any]) -> ActorMethod[..., Any]:
    method: ActorMethod[..., Any] = getattr(handle, MESSAGE)
    return method


def _at(
    system: ActorSystem, node: NodeId | str, key: bytes, what: str, name: str | None
) -> ActorMethod[..., Any] | AckedMethod[..., Any]:
    """What is found under `key` at a node, when the message arrives there. Raises NodeDown."""
    life = system.node.directory.life_of(node)
    location = Location(ActorId(life, 0), what, name, can_restart=False)
    location.key, location.affinity = key, crc32(key)
    if get_ident() == system.thread_id:
        system.found(location, life)
    else:
        system.post(system.found, location, life)  # what is sent meanwhile waits for it
    return ActorMethod(system, location, _METHOD)


def _check_there(location: Location) -> None:
    """Raises what this node knows of an actor that is gone for good."""
    if location.error is not None:
        raise location.error
    peer = location.peer
    if peer is not None and peer.down is not None and not location.can_restart:
        raise NodeDown(str(peer.node), peer.down)


def _make_ready(handle: ActorHandle[Any]) -> tuple[Any, Any]:
    """The methods that messages to a handle take, without options and acknowledged."""
    system = session.system()
    plain, acked = (
        _with_options(system, _method_of(system, handle), ack, None, None, None, None) for ack in (None, True)
    )
    ready = handle.__dict__[_READY] = plain, acked
    return ready


# ---- options ---------------------------------------------------------------------------------------------------------


def _with_options(
    system: ActorSystem,
    method: ActorMethod[..., Any] | AckedMethod[..., Any],
    ack: bool | None,
    causal: str | None,
    channel: str | None,
    partition_key: int | str | None,
    transitive: bool | None,
) -> ActorMethod[..., Any] | AckedMethod[..., Any]:
    if transitive is not None and not isinstance(transitive, bool):
        raise ConfigError("transitive", transitive, "True, False or None")
    defaults = system.node.config.forward
    options = _options(method, defaults, ack, causal, channel, partition_key)
    method = method.options(**options) if options else method
    if transitive is None:
        transitive = defaults.transitive
    return method if transitive is None else _routed(system, method, transitive)


def _routed(
    system: ActorSystem, method: ActorMethod[..., Any] | AckedMethod[..., Any], transitive: bool
) -> ActorMethod[..., Any] | AckedMethod[..., Any]:
    """The method, what is sent by which others may pass on, or must not."""
    is_acked = isinstance(method, AckedMethod)
    way = method._way if isinstance(method, AckedMethod) else Way(method._channel, method._timeout, method._partition)
    own = way.channel
    channel, label = (own.channel, own.label) if isinstance(own, Manner) else (own, None)
    way = way._replace(channel=system.acked.manner(channel, label, is_acked=is_acked, transitive=transitive))
    made: ActorMethod[..., Any] | AckedMethod[..., Any]
    if is_acked:
        made = AckedMethod(system, method._location, method._method, way)
    else:
        made = ActorMethod(system, method._location, method._method, *way)
    made._hold = method._hold
    return made


def _options(
    method: ActorMethod[..., Any] | AckedMethod[..., Any],
    defaults: ForwardOptions,
    ack: bool | None,
    causal: str | None,
    channel: str | None,
    partition_key: int | str | None,
) -> dict[str, Any]:
    """What is to be changed of a method: what was given, and else the defaults for what it does not say itself."""
    if ack is not None and not isinstance(ack, bool):
        raise ConfigError("ack", ack, "True or False")
    is_acked = isinstance(method, AckedMethod)
    if is_acked and ack is False:
        raise ConfigError("ack", ack, "True: the method that is the reference is acknowledged")
    way = method._way if isinstance(method, AckedMethod) else Way(method._channel, None, method._partition)
    own = way.channel
    own_channel, own_label = (own.channel, own.label) if isinstance(own, Manner) else (own, None)
    has_key = partition_key is not None or way.partition is not None
    chosen = {
        "ack": not is_acked and (defaults.ack if ack is None else ack),
        "channel": channel or (defaults.channel if own_channel == CALLS and defaults.channel != CALLS else None),
        "causal": causal or (defaults.causal if own_label is None else None),
        "partition_key": partition_key if has_key else defaults.partition_key,
    }
    return {name: value for name, value in chosen.items() if value is not None and value is not False}
