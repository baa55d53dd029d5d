"""`@actor` and what it makes: the actor class, and the handles of its actors.

A handle is typed by the class it belongs to. It has no public attributes of its own, so every name is the user's.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, overload

from partisan_actors.actors.actor import Definition, Interface
from partisan_actors.actors.context import current_owner
from partisan_actors.actors.groups import is_blocking
from partisan_actors.actors.references import ActorText, format_actor
from partisan_actors.actors.sent_refs import SentRefs, refs_in_message
from partisan_actors.actors.tracing import LifeTrace
from partisan_actors.api import session
from partisan_actors.api.calls import takes_references
from partisan_actors.api.capture import captured_placement, running_maker
from partisan_actors.api.class_code import ByName
from partisan_actors.api.configured import Pending
from partisan_actors.api.handle_options import PLAIN, HandleOptions
from partisan_actors.api.lookup import find_actor, known_actor
from partisan_actors.api.methods import ActorMethod, bind_method
from partisan_actors.api.namespaces import key_here, running_namespace
from partisan_actors.api.options import ActorOptions
from partisan_actors.api.runtime_env import environment_for
from partisan_actors.errors import ActorExists, ConfigError
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.scheduler.spec import ActorSpec
from partisan_actors.wire.payload import encode_call

if TYPE_CHECKING:
    from typing import Unpack

    from partisan_actors.actors.holding import Hold, Holding
    from partisan_actors.actors.ref import Location
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.api.calls import RemoteCall
    from partisan_actors.api.options import ActorKeywords
    from partisan_actors.api.runtime import Runtime
    from partisan_actors.scheduler.scheduler import Scheduler

__all__ = ["ActorClass", "ActorHandle", "actor"]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
C = TypeVar("C", bound=Callable[..., Any])
C_co = TypeVar("C_co", covariant=True)


class ActorHandle(Generic[T_co]):
    """A remote actor. Copy it, pass it, store it, send it: every copy means the same actor, and compares equal.

    An actor without a name that is not detached ends when the last counted copy is gone, wherever that was; see the
    page "Lifetimes".
    """

    _location: Location
    _interface: Interface
    _system: ActorSystem
    _options: HandleOptions
    _hold: Hold | None

    def __init__(
        self,
        system: ActorSystem,
        location: Location,
        interface: Interface,
        options: HandleOptions = PLAIN,
        hold: Hold | None = None,
    ) -> None:
        """`options` say how what goes through this handle is sent. Without `hold` it is not counted."""
        self.__dict__.update(_location=location, _interface=interface, _system=system, _options=options, _hold=hold)
        if interface.methods:
            location.interface = interface

    def __getattr__(self, name: str) -> ActorMethod[..., Any]:
        interface = self._interface
        method = interface.methods.get(name)
        if method is None:
            is_private = name.startswith("_") and name not in interface.refused
            raise AttributeError(name) if is_private else interface.has_no(name)
        pending = self.__dict__.setdefault("_pending", Pending())
        way = self._options.way(self._system)
        bound: ActorMethod[..., Any] = bind_method(self._system, self._location, interface, name, way, pending)
        bound._hold = self._hold
        self.__dict__[name] = bound
        return bound

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self!r} is on another node: its attributes can only be changed by its own methods")

    def __dir__(self) -> list[str]:
        return sorted(self._interface.methods)

    def __repr__(self) -> str:
        return f"ActorHandle({self._location})"

    def __str__(self) -> str:
        location = self._location
        host = location.peer.node if location.peer is not None else None
        return format_actor(ActorText(location.actor, location.class_name, location.name, host, location.can_restart))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorHandle) and self._location.actor == other._location.actor

    def __hash__(self) -> int:
        return hash(self._location.actor)

    def __reduce__(self) -> tuple[Any, ...]:
        location = self._location
        host = location.peer.node if location.peer is not None else None
        loan: tuple[NodeId, int] | None = None
        if self._hold is not None:
            holding: Holding = self._system.extensions["holding"]
            loan = self._system.me, holding.lend(self._hold)
        return _rebuild, (
            location.actor.node,
            location.actor.number,
            location.name,
            location.can_restart,
            host,
            self._interface,
            None if self._options == PLAIN else tuple(self._options),
            loan,
        )

    def __copy__(self) -> ActorHandle[T_co]:
        return self

    def __deepcopy__(self, memo: Any) -> ActorHandle[T_co]:
        return self


def _rebuild(
    node: NodeId,
    number: int,
    name: str | None,
    can_restart: bool,
    host: NodeId | None,
    interface: Interface,
    options: tuple[str, int | None, str | None] | None,
    loan: tuple[NodeId, int] | None,
) -> ActorHandle[Any]:
    how = PLAIN if options is None else HandleOptions(*options)
    return handle_of(session.system(), ActorId(node, number), name, can_restart, host, interface, how, loan)


def handle_of(
    system: ActorSystem,
    actor: ActorId,
    name: str | None,
    can_restart: bool,
    host: NodeId | None,
    interface: Interface,
    options: HandleOptions = PLAIN,
    loan: tuple[NodeId, int] | None = None,
) -> ActorHandle[Any]:
    """The handle of an actor that was on `host`, when somebody last knew.

    It is counted if it was lent: by that node, under that number.
    """
    location = system.location(actor, interface.class_name, name, can_restart, host)
    location.tracing = interface.tracing
    if host is None:
        # It had no place yet when the handle was sent: whoever made it knows.
        scheduler: Scheduler = system.extensions["scheduler"]
        system.post(scheduler.locate, location)
    holding: Holding = system.extensions["holding"]
    hold = holding.received(location, *loan) if loan is not None else None
    return ActorHandle(system, location, interface, options, hold)


class ActorClass(Generic[P, T_co]):
    """What `@actor` makes of a class: `remote(...)` creates an actor somewhere in the cluster.

    The plain class is `.cls`: make local instances of it, or derive from it.
    """

    def __init__(self, cls: type[T_co], options: ActorOptions) -> None:
        self.cls = cls
        self.__name__ = cls.__name__
        self.__qualname__ = cls.__qualname__
        self.__module__ = cls.__module__
        self.__doc__ = cls.__doc__
        self._options = options

    @functools.cached_property
    def _definition(self) -> Definition:
        # Read at the first use: a class that refers to itself by its own name is unpickled while it is still empty.
        return Definition.of(self.cls)

    @property
    def _interface(self) -> Interface:
        """What handles of its actors know. Raises ConfigError for a method in a group that there is not."""
        interface, options = self._definition.interface, self._options
        groups = tuple(options.concurrency_groups)
        for method in interface.methods.values():
            group = method.options.concurrency_group
            if group is not None and group not in groups:
                known = ", ".join(groups) or "nothing, as there are no concurrency_groups"
                raise ConfigError(f"concurrency_group of {interface.class_name}.{method.name}", group, known)
        pending_max = options.max_pending_calls if options.max_pending_calls != -1 else None
        has_threads = (options.max_concurrency or 1) > 1 and is_blocking(interface)
        retries, tracing = options.max_task_retries, options.tracing
        if not groups and not retries and pending_max is None and not has_threads and tracing is None:
            return interface
        return replace(
            interface,
            groups=groups,
            max_task_retries=retries,
            pending_max=pending_max,
            in_order=not has_threads,
            tracing=tracing,
        )

    @takes_references
    def remote(self, /, *args: P.args, **kwargs: P.kwargs) -> ActorHandle[T_co]:
        """Create an actor with these constructor arguments. Returns its handle at once; it is placed meanwhile.

        Raises TypeError when the arguments do not fit the constructor, SerializationError when one cannot be sent.
        Whether it gets its name is waited for, unless the caller runs on an event loop, and ActorExists is raised here;
        what else goes wrong (Unplaceable, a constructor that raises) is raised by calls to the actor.
        """
        interface = self._definition.interface
        if self._options.trap_exit and "on_exit" not in interface.methods:
            raise ConfigError(
                "trap_exit", True, f"False, as {interface.class_name} has no method on_exit(self, signal)"
            )
        constructor = interface.constructor
        if kwargs or len(args) < constructor.least or (constructor.most is not None and len(args) > constructor.most):
            constructor.bind(interface.class_name, args, kwargs)
        system = session.system()
        if not self._options.get_if_exists or self._options.name is None:
            return _create(system, self, args, kwargs)
        while True:
            existing = _find_existing(system, key_here(system, self._options.name, self._options.namespace))
            if existing is not None:
                return existing
            with contextlib.suppress(ActorExists):  # somebody else was faster: take theirs
                return _create(system, self, args, kwargs)

    def options(self, /, **options: Unpack[ActorKeywords]) -> ActorClass[P, T_co]:
        """The same class with other options; see `ActorOptions`. Raises ConfigError naming what is wrong."""
        changed: ActorClass[P, T_co] = object.__new__(ActorClass)
        changed.__dict__.update(self.__dict__)
        changed._options = self._options.with_(options)
        return changed

    if not TYPE_CHECKING:  # type checkers see a class where the name of a decorated class stands: `Actor`, below

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
        return ActorClass, (ByName.of(self.cls) or self.cls, self._options)


if TYPE_CHECKING:
    # The name of a decorated class also stands in annotations, as in ActorHandle[Counter], and only a class may. So the
    # checkers see the ActorClass that `actor` makes as a class, `type[Actor[type[Counter]]]`. mypy ignores what a class
    # decorator returns: there, typing_plugin adds the same three attributes to the class itself.

    class RemoteOf:
        """`Counter.remote`: ActorClass.remote, with the constructor of the class that it is read from."""

        def __get__(self, instance: object, owner: Callable[P, T]) -> RemoteCall[P, ActorHandle[T]]: ...

    class OptionsOf:
        """`Counter.options`: ActorClass.options, likewise."""

        def __get__(self, instance: object, owner: Callable[P, T]) -> OptionsCall[P, T]: ...

    class ClassOf(Protocol):
        """`Counter.cls`: the plain class."""

        @overload
        def __get__(self, instance: object, owner: type[Creatable[C]]) -> C: ...
        @overload
        def __get__(self, instance: object, owner: C) -> C: ...

    class OptionsCall(Protocol[P, T_co]):
        """ActorClass.options as a function."""

        def __call__(self, **options: Unpack[ActorKeywords]) -> ActorClass[P, T_co]: ...

    class Creatable(Any, Generic[C_co]):  # type: ignore[misc]  # Any: the other attributes of the class, unchecked
        """What an actor class has beside its own attributes, for derived classes too."""

        remote: RemoteOf
        options: OptionsOf
        cls: ClassOf

        def __init__(self: Creatable[Callable[P, Any]], *args: P.args, **kwargs: P.kwargs) -> None: ...

    class Actor(Creatable[C_co], Protocol[C_co]):  # type: ignore[misc]  # a protocol, so that plain objects match it
        """An actor of the class `C_co`: what the name of a decorated class means in an annotation."""

    class ActorDecorator(Protocol):
        """What `actor` with options gives."""

        def __call__(self, cls: C, /) -> type[Actor[C]]: ...


@overload
def actor(cls: C, /) -> type[Actor[C]]: ...


@overload
def actor(**options: Unpack[ActorKeywords]) -> ActorDecorator: ...


def actor(cls: Any = None, /, **options: Any) -> Any:
    """Class decorator: makes a class remotely addressable. With options: ``@actor(max_restarts=3)``.

    Methods written with ``def`` run one at a time on the actor's own thread, ``async def`` ones on the node's loop and
    interleave where they wait; they start in the order in which the calls arrive. Raises ConfigError.
    """
    defaults = ActorOptions().with_(options)
    if cls is not None:
        return _decorate(cls, defaults)
    return lambda decorated: _decorate(decorated, defaults)


def _decorate(cls: type[T], options: ActorOptions) -> ActorClass[..., T]:
    definition = Definition.of(cls)
    made: ActorClass[..., T] = ActorClass(cls, options)
    made._definition = definition
    return made


def _create(
    system: ActorSystem, actor_class: ActorClass[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ActorHandle[T]:
    options = actor_class._options
    runtime: Runtime = system.extensions["runtime"]
    interface = actor_class._interface
    actor_id = ActorId(system.me, system.next_actor_number())
    location = system.location(actor_id, interface.class_name, options.name, options.max_restarts != 0, None)
    how = PLAIN.changed(options.channel, options.partition_key, options.causal)
    how.way(system)  # channel and label exist, or it is said here
    # Who has a name can be found by it, and who is detached is on its own.
    counted = options.name is None and options.lifetime is None
    holding: Holding = system.extensions["holding"]
    hold = holding.of(location, is_new=True) if counted else None
    handle: ActorHandle[T] = ActorHandle(system, location, interface, how, hold)
    refs = SentRefs()
    token = refs_in_message.set(refs)
    try:
        what = f"the constructor arguments of {interface.class_name}"
        body, buffers = ActorSpec.arguments(encode_call(args, kwargs, what))
    finally:
        refs_in_message.reset(token)
    environment = environment_for(runtime, options.runtime_env)
    location.tracing = options.tracing
    trace = LifeTrace.create(system.recorder, options.tracing)
    spec = ActorSpec(
        actor=actor_id,
        class_name=interface.class_name,
        code=system.code.add(actor_class.cls, f"the class {interface.class_name}", ByName.of(actor_class.cls)),
        body=body,
        buffers=buffers,
        request=options.request(captured_placement(runtime.scheduler) if options.is_capturable else None),
        # What an actor or a task creates ends with whoever owns that, on whichever node it runs.
        owner=None if options.lifetime == "detached" else current_owner.get() or system.me,
        name=options.name,
        max_restarts=options.max_restarts,
        max_concurrency=options.max_concurrency,
        mailbox_max=options.mailbox_max,
        dedicated_thread=options.dedicated_thread,
        trap_exit=options.trap_exit,
        handle=pickle.dumps(handle, 5) if options.name is not None else b"",
        trace=trace.context.pack() if trace is not None else b"",
        counted=counted,
        stop_timeout_s=options.stop_timeout,
        quorum=options.quorum,
        concurrency_groups=dict(options.concurrency_groups),
        namespace=running_namespace(system) if options.namespace is None else options.namespace,
        isolation=options.isolated(environment),
        environment=environment,
        tracing=options.tracing,
        made_by=running_maker(),
    )
    system.post(runtime.scheduler.create, spec, location, refs, trace)
    if options.name is not None and asyncio._get_running_loop() is None:
        runtime.scheduler.wait_named(location)
    return handle


def _find_existing(system: ActorSystem, key: str) -> ActorHandle[Any] | None:
    if asyncio._get_running_loop() is system.loop:
        # The loop cannot wait for the name's home. What this node has heard of is moments old.
        existing: ActorHandle[Any] | None = known_actor(system, key)
    else:
        existing = find_actor(system, key)
    return existing
