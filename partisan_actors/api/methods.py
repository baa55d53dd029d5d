"""Methods of handles: what calls an actor, with the options that a call may have.

`handle.method.options(ack=True)` gives an AckedMethod. A message of that is sent until the actor's node has it in the
mailbox, across connections that break and by whatever way, and is there once; or it is given up, and its ref says so.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, overload

from partisan_actors.actors.acked import Manner
from partisan_actors.actors.actor import Interface, Method
from partisan_actors.actors.made_calls import has_run, made_calls, note_call
from partisan_actors.actors.method_options import MethodOptions
from partisan_actors.api.call_options import Way, method_options
from partisan_actors.api.calls import takes_references
from partisan_actors.api.configured import ConfiguredMethod, Pending, StreamMethod, is_plain
from partisan_actors.errors import ConfigError
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.wire.channels import CALLS

if TYPE_CHECKING:
    from partisan_actors.actors.holding import Hold
    from partisan_actors.actors.ref import Location
    from partisan_actors.actors.system import ActorSystem

__all__ = ["AckedMethod", "ActorMethod", "bind_method"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


def bind_method(
    system: ActorSystem, location: Location, interface: Interface, name: str, way: Way, pending: Pending
) -> Any:
    """The method of that name of an actor, as its handle gives it. Raises KeyError."""
    method = interface.methods[name]
    if is_plain(interface, method):
        return ActorMethod(system, location, method, *way, interface, pending)
    kind: type[ConfiguredMethod[..., Any]] = StreamMethod if method.streams else ConfiguredMethod
    return kind(system, location, interface, method, pending, MethodOptions(), way)


class ActorMethod(Generic[P, R_co]):
    """A method of a remote actor: `remote` asks and returns a ref, `tell` sends and returns nothing."""

    __slots__ = (
        "_ask",
        "_channel",
        "_hold",
        "_interface",
        "_least",
        "_location",
        "_method",
        "_most",
        "_name",
        "_partition",
        "_pending",
        "_store",
        "_system",
        "_tell",
        "_timeout",
    )

    def __init__(
        self,
        system: ActorSystem,
        location: Location,
        method: Method,
        channel: str = CALLS,
        timeout: float | None = None,
        partition: int | None = None,
        interface: Interface | None = None,
        pending: Pending | None = None,
    ) -> None:
        self._system = system
        self._interface = interface
        self._pending = pending
        self._store = system.extensions["objects"]
        self._ask: Callable[..., None] = system.ask
        self._tell: Callable[..., None] = system.tell
        options = system.node.config.channels[channel]
        if options.monotonic:
            self._ask, self._tell = self._refuse, system.tell_newest
        if partition is not None:
            self._ask = functools.partial(self._ask, partition=partition)
            self._tell = functools.partial(self._tell, partition=partition)
        self._partition = partition
        self._location = location
        self._method = method
        self._name = method.name
        self._least = method.least
        self._most = sys.maxsize if method.most is None else method.most
        self._channel = channel
        self._timeout = timeout
        # Of the handle that this is a method of, which need not be kept beside it.
        self._hold: Hold | None = None

    @takes_references
    def remote(self, /, *args: P.args, **kwargs: P.kwargs) -> ObjectRef[R_co]:
        """Call the method. Returns at once.

        Raises TypeError when the arguments do not fit, SerializationError when one cannot be sent; everything else is
        in the ref. Calls of one caller to one actor start in the order they were made.
        """
        if kwargs or not self._least <= len(args) <= self._most:
            self._method.bind(f"{self._location.class_name}.{self._name}", args, kwargs)
        ref: ObjectRef[R_co] = ObjectRef(self._store)
        if has_run and (made := made_calls.get()) is not None:
            note_call(made, ref, self._location, self._name)
        self._ask(self._location, self._name, args, kwargs, ref, self._channel, self._timeout)
        return ref

    @takes_references
    def tell(self, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send without wanting a reply; an error in the method is logged on its node. Raises as `remote` does."""
        if kwargs or not self._least <= len(args) <= self._most:
            self._method.bind(f"{self._location.class_name}.{self._name}", args, kwargs)
        self._tell(self._location, self._name, args, kwargs, self._channel)

    def _refuse(self, *args: Any, **kwargs: Any) -> None:
        what = f"{self._location.class_name}.{self._name}.remote"
        raise ConfigError("channel", self._channel, f"one that is not monotonic for {what}: there is only .tell on it")

    @overload
    def options(
        self,
        *,
        ack: Literal[True],
        timeout: float | None = ...,
        channel: str | None = ...,
        partition_key: int | str | None = ...,
        causal: str | None = ...,
    ) -> AckedMethod[P, R_co]: ...
    @overload
    def options(
        self,
        *,
        timeout: float | None = ...,
        channel: str | None = ...,
        partition_key: int | str | None = ...,
        causal: str | None = ...,
    ) -> ActorMethod[P, R_co]: ...
    @overload
    def options(
        self,
        *,
        concurrency_group: str = ...,
        max_task_retries: int = ...,
        retry_exceptions: bool | Sequence[type[BaseException]] = ...,
        timeout: float | None = ...,
        channel: str | None = ...,
        partition_key: int | str | None = ...,
        causal: str | None = ...,
    ) -> ConfiguredMethod[P, ObjectRef[R_co]]: ...
    @overload
    def options(
        self,
        *,
        num_returns: int | Literal["streaming", "dynamic"] = ...,
        generator_backpressure: int = ...,
        concurrency_group: str = ...,
        max_task_retries: int = ...,
        retry_exceptions: bool | Sequence[type[BaseException]] = ...,
        timeout: float | None = ...,
        channel: str | None = ...,
        partition_key: int | str | None = ...,
        causal: str | None = ...,
    ) -> ConfiguredMethod[P, Any]: ...
    def options(
        self,
        *,
        timeout: float | None = None,
        channel: str | None = None,
        partition_key: int | str | None = None,
        causal: str | None = None,
        ack: bool = False,
        **call: Any,
    ) -> ActorMethod[P, R_co] | AckedMethod[P, R_co] | ConfiguredMethod[P, Any]:
        """The same method with a deadline of `timeout` seconds, over another `channel`, or with other promises.

        Messages of one `partition_key` to one node share a lane of their channel, and arrive in order, whoever they are
        for: a number k takes lane k modulo the number of lanes. Without a key, sender and receiver are the key.
        `causal` is a label of the cluster's `causal_labels`: what is sent under it is delivered after what it may be an
        answer to, and once. With `ack` it is sent until it is acknowledged, and `tell` returns a ref; see AckedMethod.

        `num_returns`, `concurrency_group`, `max_task_retries`, `retry_exceptions` and `generator_backpressure` take the
        place of what `method` says of the method, or `actor` of the actor. Raises ConfigError.
        """
        way = Way(self._channel, self._timeout, self._partition).changed(
            self._system, timeout=timeout, channel=channel, partition_key=partition_key, causal=causal, ack=ack
        )
        options = method_options(call)
        if ack:
            if call:
                raise ConfigError("ack", True, f"False together with {', '.join(call)}")
            acked: AckedMethod[P, R_co] = AckedMethod(self._system, self._location, self._method, way)
            acked._hold = self._hold
            return acked
        made: ActorMethod[P, R_co] | ConfiguredMethod[P, Any]
        if options == MethodOptions():
            made = ActorMethod(self._system, self._location, self._method, *way, self._interface, self._pending)
        else:
            interface = self._interface or Interface(self._location.class_name, {}, self._method)
            pending = self._pending or Pending()
            made = ConfiguredMethod(self._system, self._location, interface, self._method, pending, options, way)
        made._hold = self._hold
        return made

    if not TYPE_CHECKING:  # a type checker says so by itself

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            where = f"{self._location.class_name}.{self._name}"
            raise TypeError(f"{where} runs on another node: write handle.{self._name}.remote(...) or .tell(...)")

    def __repr__(self) -> str:
        return f"<method {self._name} of {self._location}>"


class AckedMethod(Generic[P, R_co]):
    """A method of a remote actor: as an ActorMethod, but what is sent is acknowledged, and sent again until it is.

    A message runs once within one life of the actor's node. What is not acknowledged within `give_up_s` (see
    `AckOptions`) fails with Unacknowledged, and with NodeDown when the node goes down: then it may or may not have run.
    Overloaded is in the ref, too: so many messages wait for acknowledgement already, and this one was not sent.
    """

    __slots__ = (
        "_hold",
        "_least",
        "_location",
        "_method",
        "_most",
        "_name",
        "_store",
        "_system",
        "_way",
    )

    def __init__(self, system: ActorSystem, location: Location, method: Method, way: Way) -> None:
        self._system = system
        self._store = system.extensions["objects"]
        self._location = location
        self._method = method
        self._name = method.name
        self._least = method.least
        self._most = sys.maxsize if method.most is None else method.most
        self._way = way
        self._hold: Hold | None = None

    @takes_references
    def remote(self, /, *args: P.args, **kwargs: P.kwargs) -> ObjectRef[R_co]:
        """Call the method; its answer is acknowledged, too. Returns at once, and raises as `ActorMethod.remote`."""
        if kwargs or not self._least <= len(args) <= self._most:
            self._method.bind(f"{self._location.class_name}.{self._name}", args, kwargs)
        ref: ObjectRef[R_co] = ObjectRef(self._store)
        if has_run and (made := made_calls.get()) is not None:
            note_call(made, ref, self._location, self._name)
        self._system.ask(self._location, self._name, args, kwargs, ref, *self._way)
        return ref

    @takes_references
    def tell(self, /, *args: P.args, **kwargs: P.kwargs) -> ObjectRef[None]:
        """Send without wanting a reply. The ref gets None once the message is in the actor's mailbox.

        Or it gets why it is not: ActorStopped, MailboxFull, or what the class says of failures. An error in the method
        is logged on its node.
        """
        if kwargs or not self._least <= len(args) <= self._most:
            self._method.bind(f"{self._location.class_name}.{self._name}", args, kwargs)
        ref: ObjectRef[None] = ObjectRef(self._store)
        manner, timeout, partition = self._way
        assert isinstance(manner, Manner)
        self._system.outbound.tell_acked(self._location, self._name, args, kwargs, ref, manner, timeout, partition)
        return ref

    def options(
        self,
        *,
        timeout: float | None = None,
        channel: str | None = None,
        partition_key: int | str | None = None,
        causal: str | None = None,
    ) -> AckedMethod[P, R_co]:
        """The same with other options, and still acknowledged; see `ActorMethod.options`. Raises ConfigError."""
        way = self._way.changed(
            self._system, timeout=timeout, channel=channel, partition_key=partition_key, causal=causal, ack=True
        )
        made: AckedMethod[P, R_co] = AckedMethod(self._system, self._location, self._method, way)
        made._hold = self._hold
        return made

    if not TYPE_CHECKING:  # a type checker says so by itself

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            where = f"{self._location.class_name}.{self._name}"
            raise TypeError(f"{where} runs on another node: write .remote(...) or .tell(...) after the options")

    def __repr__(self) -> str:
        return f"<method {self._name} of {self._location}, acknowledged>"
