"""Monitors, links and exit signals, as in Erlang: who is told that an actor has ended, and who ends with it.

The rules are on the page "Monitors and links"; what carries them out is `actors.signals`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.context import current_cell
from partisan_actors.actors.down import Down, Exit
from partisan_actors.actors.reasons import KILL, NODE_DOWN, NORMAL, REASON_MAX, ActorExit
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.signals import Question, Signals
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.actor import ActorHandle
from partisan_actors.api.methods import ActorMethod
from partisan_actors.api.results import kill
from partisan_actors.api.targets import method_of_running_actor, target_of
from partisan_actors.errors import ConfigError, TaskCancelled
from partisan_actors.ids import MonitorId
from partisan_actors.wire.channels import CALLS

__all__ = [
    "Down",
    "Exit",
    "MonitorRef",
    "current_actor",
    "demonitor",
    "exit",
    "exit_actor",
    "link",
    "monitor",
    "unlink",
]


class MonitorRef(Reply[Down]):
    """A monitor. Await it, or block on `result(timeout)`, for its `Down`; `add_done_callback` as a future.

    Equal to the `monitor` of that Down. `str(ref)` is its id as text. Given up by `demonitor`, it raises TaskCancelled.
    """

    __slots__ = ("_question", "id")

    def __init__(self, system: ActorSystem, question: Question) -> None:
        super().__init__(system.loop)
        self._question = question
        self.id = MonitorId(system.me, question.number)

    def __str__(self) -> str:
        return str(self.id)

    def __repr__(self) -> str:
        return f"MonitorRef({self.id}, of {self._question.location})"

    def __eq__(self, other: object) -> bool:
        return self.id == (other.id if isinstance(other, MonitorRef) else other)

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> tuple[Any, ...]:
        return MonitorId, tuple(self.id)


def monitor(
    actor: ActorHandle[Any],
    target: Callable[[Down], Any] | ActorMethod[..., Any] | None = None,
    *,
    channel: str = CALLS,
) -> MonitorRef:
    """Have `target` told, once, when this life of `actor` ends: with a `Down`, which says why.

    `target` is what `on_node_down` takes: `self.method` in an actor, a handle's method, a coroutine function, or a
    function. Without one, an actor's own `on_down` method is told, if it has one; and whoever has the MonitorRef can
    await it in any case. An actor that has ended, or never was, is "noproc" at once; one that is still to be made, or
    restarted, is waited for. A monitor set by an actor ends with it.

    The Down comes after everything that the actor has sent to the one that monitors it on `channel`. Raises TypeError
    for what is not a handle or cannot be told, ConfigError for an unknown channel and at 100 000 monitors of a node.
    """
    system = _system_of(actor, "monitor")
    if channel not in system.node.config.channels:
        raise ConfigError("channel", channel, f"one of {', '.join(system.node.config.channels)}")
    signals: Signals = system.extensions["signals"]
    cell = _running(system)
    tell = _teller(system, signals, cell, target)
    location = actor._location
    can_restart = location.can_restart

    def ended(reason: str) -> None:
        down = Down(ref.id, str(location), location.actor, reason, can_restart and reason.startswith(NODE_DOWN))
        ref.succeed(down)
        tell(down, question)

    question = signals.question(location, cell, ended)
    question.channel = channel
    ref = MonitorRef(system, question)
    question.closed = ref.fail
    signals.ask(question)
    return ref


def _teller(system: ActorSystem, signals: Signals, cell: Cell | None, target: Any) -> Callable[[Down, Question], None]:
    method = method_of_running_actor(system, target)
    if cell is not None and (method is not None or target is None):
        name = method._name if method is not None else "on_down"
        if name not in cell.definition.interface.methods:
            return lambda down, question: None
        running = cell
        return lambda down, question: signals.deliver(running, name, down, question)
    if target is None:
        return lambda down, question: None
    told = target_of(system, target, None)
    return lambda down, question: told.tell(down)


def demonitor(monitor: MonitorRef | MonitorId) -> None:
    """Give a monitor up: no Down of it begins to be handled any more, not even one that waits in the mailbox.

    One that has fired, or was given up before, is let be. Raises TypeError for what is no monitor, ConfigError for one
    that another node has set.
    """
    if not isinstance(monitor, (MonitorRef, MonitorId)):
        raise TypeError(f"demonitor takes a MonitorRef, not {type(monitor).__name__}")
    system = session.system()
    number = monitor.number if isinstance(monitor, MonitorId) else monitor.id.number
    if (monitor.node if isinstance(monitor, MonitorId) else monitor.id.node) != system.me:
        raise ConfigError("monitor", str(monitor), f"a monitor of this node, {system.me}")
    signals: Signals = system.extensions["signals"]
    question = monitor._question if isinstance(monitor, MonitorRef) else signals.watching.find(number)
    if question is not None:
        question.is_flushed = True
        _on_loop(system, signals.give_up, question)
        _on_loop(system, question.closed, TaskCancelled(str(monitor)))


def link(actor: ActorHandle[Any]) -> None:
    """Link the running actor with `actor`: when either ends, the other gets an exit signal with the same reason.

    What that does is said at `exit`. A link to an actor that has ended brings "noproc". Linking twice is linking once,
    linking with itself is nothing. Raises RuntimeError outside of actors, TypeError for what is not a handle.
    """
    system = _system_of(actor, "link")
    cell = _running_or_raise(system, "link")
    if cell.actor != actor._location.actor:
        signals: Signals = system.extensions["signals"]
        _on_loop(system, signals.link, cell, actor._location)


def unlink(actor: ActorHandle[Any]) -> None:
    """Undo `link`, whichever of the two linked; where there is no link, nothing happens. Raises as `link` does."""
    system = _system_of(actor, "unlink")
    cell = _running_or_raise(system, "unlink")
    signals: Signals = system.extensions["signals"]
    _on_loop(system, signals.unlink, cell, actor._location)


def exit(actor: ActorHandle[Any], reason: str = NORMAL) -> None:
    """Send `actor` an exit signal, behind the caller's earlier calls. Returns at once.

    It ends the actor for that `reason`, for good; except that "normal" ends only an actor that sends it to itself, and
    an actor with `trap_exit` is told, by its method `on_exit`, and goes on. "kill" cannot be trapped: whoever monitors
    the actor hears "killed". An actor that has ended is let be. Raises TypeError for what is not a handle, ConfigError
    for a reason that is not a text of 1 to 1 000 000 characters.
    """
    system = _system_of(actor, "exit")
    _check_reason(reason)
    cell = _running(system)
    if reason == KILL:
        kill(actor)
        return
    signals: Signals = system.extensions["signals"]
    sender = str(cell) if cell is not None else f"node {system.me.name}"
    signals.exit(actor._location, reason, sender, cell.actor if cell is not None else None)


def exit_actor(reason: str = NORMAL) -> NoReturn:
    """End the running actor, in its own method: the caller of that, and all who wait, get ActorStopped.

    Whoever monitors the actor hears `reason`, and those that are linked with it end too, unless that is "normal". It
    works by an exception that is no `Exception`; what catches that goes on. Coroutines of the actor that run finish,
    then its `on_stop` runs. Raises TypeError outside of actors.
    """
    _check_reason(reason)
    # Outside of actors there may be no session yet, and this is no reason to start one.
    if current_cell.get() is None or _running(session.system()) is None:
        raise TypeError("exit_actor is for the methods of actors: this code is not in one")
    raise ActorExit(reason)


def current_actor() -> ActorHandle[Any]:
    """A handle of the actor whose method runs now, to be sent to others. Raises RuntimeError outside of actors."""
    system = session.system()
    cell = _running_or_raise(system, "current_actor")
    interface, options = cell.definition.interface, cell.options
    if options.concurrency_groups:
        interface = replace(interface, groups=tuple(options.concurrency_groups))
    can_restart = options.max_restarts != 0
    location = system.location(cell.actor, interface.class_name, options.name, can_restart, system.me)
    _on_loop(system, system.found, location, system.me)
    return ActorHandle(system, location, interface)


def _on_loop(system: ActorSystem, call: Callable[..., object], *args: Any) -> None:
    """At once when this is the loop's thread, for what the running method does next must not be faster."""
    if threading.get_ident() == system.thread_id:
        call(*args)
    else:
        system.post(call, *args)


def _system_of(actor: object, what: str) -> ActorSystem:
    if not isinstance(actor, ActorHandle):
        raise TypeError(f"{what} takes an ActorHandle, not {type(actor).__name__}")
    system = actor._system
    if system.closed is not None:
        raise system.closed
    return system


def _running(system: ActorSystem) -> Cell | None:
    cell = current_cell.get()
    return cell if isinstance(cell, Cell) and cell.system is system else None


def _running_or_raise(system: ActorSystem, what: str) -> Cell:
    cell = _running(system)
    if cell is None:
        raise RuntimeError(f"{what} is for the methods of actors: this code is not in one")
    return cell


def _check_reason(reason: object) -> None:
    if not isinstance(reason, str) or not 0 < len(reason) <= REASON_MAX:
        shown = reason if not isinstance(reason, str) else f"{len(reason)} characters"
        raise ConfigError("reason", shown, f"a text of 1 to {REASON_MAX} characters")
