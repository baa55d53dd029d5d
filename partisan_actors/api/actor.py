"""`@actor` and what it makes: the actor class, the handles of its actors, and their methods.

A handle is typed by the class it belongs to. It has no public attributes of its own, so every method name is the user's.
"""

from __future__ import annotations

import asyncio
import itertools
import pickle
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from partisan_actors.actors.actor import Definition, Interface, Method
from partisan_actors.actors.context import current_system
from partisan_actors.actors.ref import Location
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.options import ActorOptions
from partisan_actors.errors import ConfigError
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.scheduler.spec import ActorSpec
from partisan_actors.transport.channels import CALLS
from partisan_actors.wire.payload import encode_call

if TYPE_CHECKING:
    from partisan_actors.api.runtime import Runtime

__all__ = ["ActorClass", "ActorHandle", "ActorMethod", "actor"]

T = TypeVar("T")

# Actor ids are numbered per node; 0 is for services.
_numbers = itertools.count(1)


class ActorMethod:
    """A method of a remote actor: `remote` asks and returns a ref, `tell` sends and returns nothing."""

    __slots__ = ("_ask", "_channel", "_least", "_location", "_method", "_most", "_name", "_store", "_system", "_timeout")

    def __init__(
        self, system: ActorSystem, location: Location, method: Method, channel: str = CALLS, timeout: float | None = None
    ) -> None:
        self._system = system
        self._store = system.extensions["objects"]
        self._ask = system.ask
        self._location = location
        self._method = method
        self._name = method.name
        self._least = method.least
        self._most = sys.maxsize if method.most is None else method.most
        self._channel = channel
        self._timeout = timeout

    def remote(self, *args: Any, **kwargs: Any) -> ObjectRef[Any]:
        """Call the method. Returns at once.

        Raises TypeError when the arguments do not fit, SerializationError when one cannot be sent; everything else is
        in the ref. Calls of one caller to one actor start in the order they were made.
        """
        if kwargs or not self._least <= len(args) <= self._most:
            self._method.bind(f"{self._location.class_name}.{self._name}", args, kwargs)
        ref: ObjectRef[Any] = ObjectRef(self._store)
        self._ask(self._location, self._name, args, kwargs, ref, self._channel, self._timeout)
        return ref

    def tell(self, *args: Any, **kwargs: Any) -> None:
        """Send without wanting a reply; an error in the method is logged on its node. Raises as `remote` does."""
        if kwargs or not self._least <= len(args) <= self._most:
            self._method.bind(f"{self._location.class_name}.{self._name}", args, kwargs)
        self._system.tell(self._location, self._name, args, kwargs, self._channel)

    def options(self, *, timeout: float | None = None, channel: str | None = None) -> ActorMethod:
        """The same method, called with a deadline of `timeout` seconds, or over another `channel`. Raises ConfigError."""
        if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout <= 0):
            raise ConfigError("timeout", timeout, "a positive number of seconds")
        channels = self._system.node.config.channels
        if channel is not None and channel not in channels:
            raise ConfigError("channel", channel, f"one of {', '.join(channels)}")
        return ActorMethod(self._system, self._location, self._method, channel or self._channel, timeout or self._timeout)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        where = f"{self._location.class_name}.{self._name}"
        raise TypeError(f"{where} runs on another node: write handle.{self._name}.remote(...) or .tell(...)")

    def __repr__(self) -> str:
        return f"<method {self._name} of {self._location}>"


class ActorHandle(Generic[T]):
    """A remote actor. Copy it, pass it, store it, send it: every copy means the same actor, and compares equal."""

    _location: Location
    _interface: Interface
    _system: ActorSystem

    def __init__(self, system: ActorSystem, location: Location, interface: Interface) -> None:
        self.__dict__.update(_location=location, _interface=interface, _system=system)

    def __getattr__(self, name: str) -> ActorMethod:
        interface = self._interface
        method = interface.methods.get(name)
        if method is None:
            if name in interface.refused:
                why = interface.refused[name]
            elif name.startswith("_"):
                raise AttributeError(name)
            else:
                why = f"its methods are {', '.join(sorted(interface.methods)) or 'none'}"
            raise AttributeError(f"{interface.class_name} has no remote method {name!r}: {why}")
        bound = self.__dict__[name] = ActorMethod(self._system, self._location, method)
        return bound

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self!r} is on another node: its attributes can only be changed by its own methods")

    def __dir__(self) -> list[str]:
        return sorted(self._interface.methods)

    def __repr__(self) -> str:
        return f"ActorHandle({self._location})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorHandle) and self._location.actor == other._location.actor

    def __hash__(self) -> int:
        return hash(self._location.actor)

    def __reduce__(self) -> tuple[Any, ...]:
        location = self._location
        host = location.peer.node if location.peer is not None else None
        return _rebuild, (
            location.actor.node,
            location.actor.number,
            location.class_name,
            location.name,
            location.can_restart,
            host,
            self._interface,
        )

    def __copy__(self) -> ActorHandle[T]:
        return self

    def __deepcopy__(self, memo: Any) -> ActorHandle[T]:
        return self


def _rebuild(
    node: NodeId,
    number: int,
    class_name: str,
    name: str | None,
    can_restart: bool,
    host: NodeId | None,
    interface: Interface,
) -> ActorHandle[Any]:
    system = current_system.get() or session.system()
    actor_id = ActorId(node, number)
    location = system.location(actor_id, class_name, name, can_restart, host)
    if host is None:
        # It had no place yet when the handle was sent: whoever made it knows.
        scheduler: Scheduler = system.extensions["scheduler"]
        system.post(scheduler.locate, location)
    return ActorHandle(system, location, interface)


class ActorClass(Generic[T]):
    """What `@actor` makes of a class: `remote(...)` creates an actor somewhere in the cluster.

    The plain class is `.cls`: make local instances of it, or derive from it.
    """

    def __init__(self, cls: type[T], options: ActorOptions) -> None:
        self.cls = cls
        self.__name__ = cls.__name__
        self.__qualname__ = cls.__qualname__
        self.__module__ = cls.__module__
        self.__doc__ = cls.__doc__
        self._options = options
        self._definition = Definition.of(cls)

    def remote(self, *args: Any, **kwargs: Any) -> ActorHandle[T]:
        """Create an actor with these constructor arguments. Returns its handle at once; it is placed meanwhile.

        Raises TypeError when the arguments do not fit the constructor, SerializationError when one cannot be sent. An
        actor with a name is waited for, unless the caller runs on an event loop, and ActorExists is raised here;
        otherwise what goes wrong (Unplaceable, a constructor that raises) is raised by calls to the actor.
        """
        interface = self._definition.interface
        constructor = interface.constructor
        if kwargs or len(args) < constructor.least or (constructor.most is not None and len(args) > constructor.most):
            constructor.bind(interface.class_name, args, kwargs)
        system = session.system()
        if self._options.get_if_exists and self._options.name is not None:
            existing = _find_existing(system, self._options.name)
            if existing is not None:
                return existing
        return _create(system, self, args, kwargs)

    def options(self, **options: Any) -> ActorClass[T]:
        """The same class with other options; see `ActorOptions`. Raises ConfigError naming what is wrong."""
        changed: ActorClass[T] = object.__new__(ActorClass)
        changed.__dict__.update(self.__dict__)
        changed._options = self._options.with_(options)
        return changed

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"{self.__name__} is an actor class: write {self.__name__}.remote(...) for an actor, "
            f"or {self.__name__}.cls(...) for a plain local object"
        )

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (self.cls,)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "cls":
            raise AttributeError(name)
        return getattr(self.cls, name)

    def __repr__(self) -> str:
        return f"<actor class {self.__module__}.{self.__qualname__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return ActorClass, (self.cls, self._options)


@overload
def actor(cls: type[T], /) -> ActorClass[T]: ...


@overload
def actor(**options: Any) -> Callable[[type[T]], ActorClass[T]]: ...


def actor(cls: type[T] | None = None, /, **options: Any) -> Any:
    """Class decorator: makes a class remotely addressable. With options: ``@actor(max_restarts=3)``.

    Methods written with ``def`` run one at a time on the actor's own thread, ``async def`` ones on the node's loop and
    interleave where they wait; they start in the order in which the calls arrive. Raises ConfigError.
    """
    defaults = ActorOptions().with_(options)
    if cls is not None:
        return ActorClass(cls, defaults)
    return lambda decorated: ActorClass(decorated, defaults)


def _create(
    system: ActorSystem, actor_class: ActorClass[T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ActorHandle[T]:
    options = actor_class._options
    interface = actor_class._definition.interface
    actor_id = ActorId(system.me, next(_numbers))
    location = system.location(actor_id, interface.class_name, options.name, options.max_restarts != 0, None)
    handle: ActorHandle[T] = ActorHandle(system, location, interface)
    body, buffers = ActorSpec.arguments(encode_call(args, kwargs, f"the constructor arguments of {interface.class_name}"))
    spec = ActorSpec(
        actor=actor_id,
        class_name=interface.class_name,
        code=system.code.add(actor_class.cls, f"the class {interface.class_name}"),
        body=body,
        buffers=buffers,
        request=options.request(),
        owner=None if options.lifetime == "detached" else system.me,
        name=options.name,
        max_restarts=options.max_restarts,
        max_concurrency=options.max_concurrency,
        mailbox_max=options.mailbox_max,
        dedicated_thread=options.dedicated_thread,
        handle=pickle.dumps(handle, 5) if options.name is not None else b"",
    )
    runtime: Runtime = system.extensions["runtime"]
    system.post(runtime.scheduler.create, spec, location)
    if options.name is not None and asyncio._get_running_loop() is None:
        runtime.scheduler.wait_placed(location)
    return handle


def _find_existing(system: ActorSystem, name: str) -> ActorHandle[Any] | None:
    from partisan_actors.api.results import find_actor

    return find_actor(system, name)
