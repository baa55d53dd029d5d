"""Methods of handles that are called in another way than plainly: streams, retries, groups, more results than one.

A plain method stays an `ActorMethod`, which costs nothing of what is here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, ParamSpec, TypeVar

from partisan_actors.actors.consuming import ENDED, Incoming
from partisan_actors.actors.made_calls import has_run, made_calls, note_call
from partisan_actors.actors.method_options import STREAM_AHEAD, STREAMING, MethodOptions
from partisan_actors.actors.requests import Request, Retrying
from partisan_actors.api.call_options import Way, method_options
from partisan_actors.api.calls import takes_references
from partisan_actors.errors import ConfigError, TaskFailed, TooManyCalls
from partisan_actors.objects.stream import ObjectRefGenerator

if TYPE_CHECKING:
    from partisan_actors.actors.actor import Interface, Method
    from partisan_actors.actors.holding import Hold
    from partisan_actors.actors.ref import Location
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.api.calls import RemoteCall
    from partisan_actors.objects.ref import ObjectRef

__all__ = ["Collected", "ConfiguredMethod", "Pending", "StreamMethod", "collect", "is_plain", "spread"]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)


def is_plain(interface: Interface, method: Method) -> bool:
    """Whether calls of it are: one question, one answer."""
    options = method.options
    retries = interface.max_task_retries if options.max_task_retries is None else options.max_task_retries
    return not method.streams and options.num_returns in (None, 1) and not retries and interface.pending_max is None


class Pending:
    """The calls through one handle that are not answered yet. For any thread."""

    __slots__ = ("_lock", "count")

    def __init__(self) -> None:
        self._lock = Lock()
        self.count = 0

    def enter(self, most: int) -> bool:
        """Another call is made, if that leaves at most `most` of them."""
        with self._lock:
            if self.count >= most:
                return False
            self.count += 1
            return True

    def leave(self) -> None:
        """One of them is answered."""
        with self._lock:
            self.count -= 1


class ConfiguredMethod(Generic[P, R_co]):
    """A method of a remote actor whose calls have options: what `remote` returns depends on `num_returns`."""

    def __init__(
        self,
        system: ActorSystem,
        location: Location,
        interface: Interface,
        method: Method,
        pending: Pending,
        options: MethodOptions,
        way: Way,
    ) -> None:
        """`options` are those of the call; those of the method and of the actor stand below them."""
        self._system = system
        self._location = location
        self._interface = interface
        self._method = method
        self._pending = pending
        self._given = options
        self._way = way
        self._hold: Hold | None = None
        self._where = f"{interface.class_name}.{method.name}"
        self._options = options.over(method.options)
        self._options.check_for(self._where, method.streams)
        if options.concurrency_group is not None and options.concurrency_group not in interface.groups:
            known = ", ".join(interface.groups) or "nothing, as its actor has no concurrency_groups"
            raise ConfigError(f"concurrency_group of {self._where}", options.concurrency_group, known)

    @takes_references
    def remote(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the method. Returns a ref; None or a list of refs as `num_returns` says; a generator's items' refs.

        Raises as `ActorMethod.remote`, and TooManyCalls when `max_pending_calls` of this handle are unanswered.
        """
        self._method.bind(self._where, args, kwargs)
        request = self._request(args, kwargs)
        self._enter()
        made: Any = self._streamed(request) if self._method.streams else self._answered(request)
        return made  # type: ignore[no-any-return]  # what it is depends on the options

    @takes_references
    def tell(self, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send without wanting a reply; a generator runs to its end, and what it gives is dropped."""
        self._method.bind(self._where, args, kwargs)
        self._request(args, kwargs).tell()

    def _request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        extras: dict[str, Any] = {}
        if self._method.streams:
            extras["stream"] = self._options.generator_backpressure or STREAM_AHEAD
        if self._given.concurrency_group is not None:
            extras["group"] = self._given.concurrency_group
        return Request(self._system.outbound, self._location, self._method.name, args, kwargs, extras, *self._way)

    def _enter(self) -> None:
        limit = self._interface.pending_max
        if limit is not None and not self._pending.enter(limit):
            raise TooManyCalls(str(self._location), limit)

    def _send(
        self,
        request: Request,
        refs: list[Any],
        finish: Callable[[Any, BaseException | None], None],
        before: Callable[[int], None] | None = None,
    ) -> Retrying:
        retries = self._options.max_task_retries
        if retries is None:
            retries = self._interface.max_task_retries
        kinds = self._options.retry_exceptions or False
        system = self._system

        def finished(value: Any, error: BaseException | None) -> None:
            system.cancelling.ended(refs)
            if self._interface.pending_max is not None:
                self._pending.leave()
            finish(value, error)

        attempts = Retrying(system, request, finished, retries, kinds, before)
        system.cancelling.watch(refs, attempts)
        if has_run and (made := made_calls.get()) is not None:
            note_call(made, refs[0], self._location, self._method.name)
        attempts.start()
        return attempts

    # ---- one answer -----------------------------------------------------------------------------------------------

    def _answered(self, request: Request) -> Any:
        count = self._options.num_returns
        assert not isinstance(count, str), "checked"
        count = 1 if count is None else count
        new_ref: Callable[[], ObjectRef[Any]] = self._system.extensions["objects"].new_ref
        refs = [new_ref() for _ in range(max(count, 1))]
        if count == 1:
            self._send(request, refs, partial(_settle, refs[0]))
            return refs[0]
        if count == 0:
            self._send(request, refs, self._unheeded)
            return None
        self._send(request, refs, partial(spread, refs, self._where))
        return refs

    def _unheeded(self, value: Any, error: BaseException | None) -> None:
        if error is not None:
            logger.error("%s, called with num_returns=0, failed", self._where, exc_info=error)

    # ---- streams --------------------------------------------------------------------------------------------------

    def _streamed(self, request: Request) -> Any:
        new_ref: Callable[[], ObjectRef[Any]] = self._system.extensions["objects"].new_ref
        ahead = self._options.generator_backpressure or STREAM_AHEAD
        incoming = Incoming(self._system.streams, self._where, ahead, new_ref)
        incoming.where = lambda: self._location.peer
        request.incoming = incoming
        attempts = self._send(request, [incoming.outcome], incoming.ended, incoming.begin)
        incoming.cancel = partial(attempts.cancel, recursive=True)
        count = self._options.num_returns
        if count is None or count == STREAMING:
            return ObjectRefGenerator(incoming)
        return collect(self._system, incoming, count, self._where, new_ref)

    # ---- the same with other options ------------------------------------------------------------------------------

    def options(
        self,
        *,
        timeout: float | None = None,
        channel: str | None = None,
        partition_key: int | str | None = None,
        causal: str | None = None,
        ack: bool = False,
        **call: Any,
    ) -> ConfiguredMethod[P, Any]:
        """The same method with other options; see `ActorMethod.options`. Raises ConfigError."""
        if ack:
            raise ConfigError("ack", True, f"False for {self._where}, which is not called plainly")
        way = self._way.changed(
            self._system, timeout=timeout, channel=channel, partition_key=partition_key, causal=causal
        )
        given = method_options(call).over(self._given)
        made = type(self)(self._system, self._location, self._interface, self._method, self._pending, given, way)
        made._hold = self._hold
        return made

    if not TYPE_CHECKING:  # a type checker says so by itself

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            name = self._method.name
            raise TypeError(f"{self._where} runs on another node: write handle.{name}.remote(...) or .tell(...)")

    def __repr__(self) -> str:
        return f"<method {self._method.name} of {self._location}, with options>"


class StreamMethod(ConfiguredMethod[P, ObjectRefGenerator[T_co]], Generic[P, T_co]):
    """A generator method of a remote actor: `remote` gives an `ObjectRefGenerator`, unless `num_returns` says else."""

    if TYPE_CHECKING:  # mypy does not see through the descriptor of the generic class above

        @property
        def remote(self) -> RemoteCall[P, ObjectRefGenerator[T_co]]: ...


def _settle(ref: ObjectRef[Any], value: Any, error: BaseException | None) -> None:
    if error is not None:
        ref.fail(error)
    else:
        ref.succeed(value)


def spread(refs: list[ObjectRef[Any]], where: str, value: Any, error: BaseException | None) -> None:
    """One result for each ref; a ValueError in each of them when there is another number of results."""
    if error is None and not (isinstance(value, (tuple, list)) and len(value) == len(refs)):
        found = f"{len(value)} objects" if isinstance(value, (tuple, list)) else f"a {type(value).__name__}"
        text = f"{where} returned {found}, but num_returns={len(refs)}: it has to return a tuple or a list of so many"
        error = TaskFailed.of(ValueError(text), where, f"ValueError: {text}")
    for index, ref in enumerate(refs):
        if error is not None:
            ref.fail(error)
        else:
            ref.succeed(value[index])


class Collected(NamedTuple):
    """The work behind refs that are made of a whole stream."""

    cancel: Callable[[bool], None]
    total: ObjectRef[Any] | None = None  # of a task: what is done when all of it is


def collect(
    system: ActorSystem, incoming: Incoming, count: int | str, where: str, new_ref: Callable[[], ObjectRef[Any]]
) -> Any:
    """What a generator with another `num_returns` than "streaming" gives: all of it at its end.

    None for 0, a list of so many refs for a number, one ref to the list of refs for "dynamic".
    """
    is_dynamic = isinstance(count, str)
    refs = [new_ref() for _ in range(1 if isinstance(count, str) else count)]
    items: list[ObjectRef[Any]] = []

    def cancel(recursive: bool) -> None:
        system.cancelling.cancel(incoming.outcome, recursive)

    work = Collected(cancel)
    system.cancelling.watch(refs, work)

    def take() -> None:
        while True:
            changed = incoming.changed()
            ref = incoming.take()
            if ref is None:
                changed.add_waiter(take)
                return
            if ref is ENDED:
                break
            items.append(ref)
        system.cancelling.ended(refs)
        error = incoming.outcome.exception()
        if error is not None and not refs:
            logger.error("%s, called with num_returns=0, failed", where, exc_info=error)
        elif is_dynamic:
            _settle(refs[0], items, error)
        elif refs:
            spread(refs, where, None if error is not None else [item.result() for item in items], error)

    system.post(take)
    if is_dynamic:
        return refs[0]
    if count == 0:
        return None
    return refs[0] if count == 1 else refs
