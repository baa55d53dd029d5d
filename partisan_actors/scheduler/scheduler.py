"""The scheduler of one node: chooses where its own actors go, and admits or refuses those of others.

Every node has one and none is special. A choice is made on the gossiped records, which may be old; the chosen node
decides, and a refusal leads to the next. Creating an actor:

    name claimed at its home -> nodes ranked -> create asked of each in turn -> guardians told -> messages flow
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import weakref
from collections.abc import Callable, Hashable
from typing import Final

from partisan_actors.actors.blocking import result_of
from partisan_actors.actors.cell import Cell
from partisan_actors.actors.context import current_system
from partisan_actors.actors.options import CellOptions
from partisan_actors.actors.reasons import UNREADABLE
from partisan_actors.actors.ref import PENDING, STOPPED, Location
from partisan_actors.actors.scope import Scope
from partisan_actors.actors.sent_refs import SentRefs
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.tracing import LifeTrace
from partisan_actors.errors import (
    ActorExists,
    ActorGroupRemoved,
    ActorUnavailable,
    NodeError,
    PartisanError,
    Unplaceable,
)
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.portable import in_words
from partisan_actors.scheduler.choosing import Choosing
from partisan_actors.scheduler.definitions import definition_of
from partisan_actors.scheduler.groups import Groups
from partisan_actors.scheduler.groups_record import GroupRecord
from partisan_actors.scheduler.guardian import NO_QUORUM, Guardian
from partisan_actors.scheduler.isolated import PLACED, IsolatedActors, Placed, place_of
from partisan_actors.scheduler.load import describe_load
from partisan_actors.scheduler.names import Names
from partisan_actors.scheduler.packages import Packages
from partisan_actors.scheduler.placing import Placing
from partisan_actors.scheduler.policy import Verdict
from partisan_actors.scheduler.processes import Processes
from partisan_actors.scheduler.resources import Resources
from partisan_actors.scheduler.room import Room
from partisan_actors.scheduler.spec import ActorSpec
from partisan_actors.scheduler.unmade import unreadable, why_not_made
from partisan_actors.wire.payload import decode

__all__ = ["Scheduler"]

logger = logging.getLogger(__name__)

SERVICE: Final = "scheduler"
HOMES_MAX: Final = 100_000
# What `create` answers.
CREATED: Final = "created"
REFUSED: Final = "refused"
NEEDS_CODE: Final = "needs code"


class Scheduler:
    """Places actors. `create` and `kill` are for this node's loop; the public coroutines answer other nodes."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.node = system.node
        config = self.node.config
        self.room = Room(Resources.parse(config.total_resources()), is_lent=bool(config.hosted_by))
        self.choosing = Choosing(self.node, self.room)
        self.candidates, self.choose = self.choosing.candidates, self.choosing.choose
        self.wait_for_news = self.choosing.wait_for_news
        self.groups = Groups(system, self.room, self.choosing)
        self.groups.on_room = self._bundles_changed
        self.groups.on_evicted.append(self._evicted)
        self.names = Names(system)
        self.guardian = Guardian(self)
        self.scope = Scope(system)
        self.on_room: list[Callable[[], None]] = []
        # Who wants to know that an actor has come, which keeps what it holds.
        self.on_room_taken: list[Callable[[], None]] = []
        self._placed = self.choosing.placed
        # Where this node has placed actors, for those who got a handle before they had a place. The oldest go first.
        self._homes: dict[ActorId, NodeId] = {}
        self._creating: dict[ActorId, asyncio.Task[None]] = {}
        self.placing: dict[ActorId, Placing] = {}  # the actors that have no place yet
        # Done when an actor to be made has its name, cancelled when it does not get it.
        self._claims: dict[ActorId, asyncio.Future[None]] = {}
        self._ending: dict[ActorId, asyncio.Future[None]] = {}
        # Names of actors that have ended, on their way to be free.
        self.releasing: dict[ActorId, asyncio.Task[None]] = {}
        # Refs that the constructor of a restartable actor takes, for as long as this node has a handle of it.
        self._kept: weakref.WeakKeyDictionary[Location, SentRefs] = weakref.WeakKeyDictionary()
        # The actors of this node. What ended ones leave behind is freed by this table, not by the cell.
        self.hosted: dict[ActorId, ActorSpec] = {}
        self.names.runs = self.hosted.__contains__
        self.processes = Processes(system)
        self.packages = Packages(system)
        self.isolated = IsolatedActors(system, self.processes, self.packages, self.room, self.forget)
        system.extensions["scheduler"] = self
        system.serve(SERVICE, self)
        system.on_cell_stopped.append(self._cell_stopped)
        self.node.directory.on_down.append(self._node_down)
        self.node.describe_load = functools.partial(describe_load, system, self.room, self.processes)
        self.node.on_given_up.append(self._given_up)
        self.node.on_left.append(self._end_all)

    def room_made(self) -> None:
        """Resources of this node were freed."""
        self.choosing.tell_news()
        for tell in self.on_room:
            tell()

    def close_room(self, *, is_closed: bool = True) -> None:
        """Take no new work any more, or take it again, and say so. Tasks that wait in a closed one go elsewhere."""
        self.room.is_closed = is_closed
        self.node.announce()
        self._bundles_changed()

    def _bundles_changed(self) -> None:
        for tell in self.on_room_taken:
            tell()
        self.room_made()

    def _evicted(self, record: GroupRecord, tokens: tuple[Hashable, ...]) -> None:
        """Actors have lost their bundle, and end with it, or are restarted where it is now if they may be."""
        why = f"its {record} is over, as {record.why}" if record.is_over else f"its bundle of {record} was moved"
        for token in tokens:
            cell = self.system.cell(token) if isinstance(token, ActorId) else None
            if cell is not None and record.is_over:
                cell.cause = ActorGroupRemoved(str(cell), why)
                cell.stop(why)
            elif cell is not None:
                self.guardian.end_life(cell, why)
            elif isinstance(token, ActorId):
                self.isolated.withdraw(token, why)

    # ---- creating ---------------------------------------------------------------------------------------------

    def create(
        self, spec: ActorSpec, location: Location, refs: SentRefs, trace: LifeTrace | None = None
    ) -> asyncio.Task[None]:
        """Place an actor and connect its location; failures go to whoever calls it.

        `refs`, those among its constructor's arguments, are kept until it is made, or may be made again.
        """
        job = self.system.background.start(self._create(spec, location), f"create {spec}")
        self._creating[spec.actor] = job
        if spec.name is not None:
            self._claims[spec.actor] = self.system.loop.create_future()
        if refs and spec.max_restarts:
            self._kept[location] = refs

        def done(job: asyncio.Task[None]) -> None:
            if not spec.max_restarts:
                refs.release()
            self._creating.pop(spec.actor, None)
            claim = self._claims.pop(spec.actor, None)
            if claim is not None:
                claim.cancel()
            if trace is not None:
                host = location.peer.node if location.peer is not None else None
                trace.finished(spec.actor, spec.class_name, host, location.error, name=spec.name)

        job.add_done_callback(done)
        return job

    async def _create(self, spec: ActorSpec, location: Location) -> None:
        host: NodeId | None = None
        try:
            if spec.quorum and not self.guardian.has_majority:
                raise ActorUnavailable(str(spec), NO_QUORUM)
            if spec.name is not None:
                spec = await self.names.register(spec)
                self._claims.pop(spec.actor).set_result(None)
            host = await self.place(spec)
            await self.guardian.guard(spec, host)
            self.names.settle(spec, host)
        except BaseException as error:  # whatever it was, nothing of the actor may be left
            if not isinstance(error, ActorExists):
                self.names.release(spec)
            if host is not None:
                self.system.notify(host, SERVICE, "stop_here", *spec.actor.node, spec.actor.number)
            self.system.fail_location(location, why_not_made(spec, error))
            if not isinstance(error, Exception):
                raise
        else:
            if location.state != STOPPED:
                self.system.outbound.placed(location, self.node.router.peer(host))

    def wait_named(self, location: Location) -> None:
        """Block this thread until the actor has its name, or will not get it, which is raised."""
        named: concurrent.futures.Future[bool] = concurrent.futures.Future()
        self.system.post(self._tell_named, location.actor, named)
        if not result_of(named) and location.error is not None:
            raise location.error

    def _tell_named(self, actor: ActorId, named: concurrent.futures.Future[bool]) -> None:
        claim = self._claims.get(actor)
        if claim is None:  # decided by now, one way or the other
            named.set_result(False)
        else:
            claim.add_done_callback(lambda claim: named.set_result(not claim.cancelled()))

    async def whereis(self, peer: Peer, number: int) -> NodeId | None:
        """Another node has a handle of an actor that this one made: where is it? Answers when it has a place."""
        actor = ActorId(self.node.me, number)
        job = self._creating.get(actor)
        if job is not None:
            await asyncio.wait([job])
        location = self.system.known_location(actor)
        if location is not None and location.error is not None:
            raise location.error
        return location.peer.node if location is not None and location.peer is not None else self._homes.get(actor)

    def locate(self, location: Location) -> None:
        """Ask whoever made an actor where it is."""
        if location.state == PENDING and location.actor not in self._creating:
            self.system.background.start(self._locate(location), f"locate {location}")

    async def _locate(self, location: Location) -> None:
        maker, number = location.actor
        try:
            host = await self.system.request(maker, SERVICE, "whereis", number)
        except PartisanError as error:
            if location.state == PENDING:
                self.system.fail_location(location, error)
            return
        if location.state != PENDING:
            return
        if host is None:
            self.system.fail_location(location, location.stopped_error("it has ended, or never had a place"))
        else:
            self.system.outbound.placed(location, self.node.router.peer(host))

    async def place(self, spec: ActorSpec) -> NodeId:
        """Find a node that takes the actor, waiting for room if need be. Raises Unplaceable."""
        placing = self.placing[spec.actor] = Placing(spec, self.system.loop.time())
        try:
            return await self._place(spec, placing)
        finally:
            self.placing.pop(spec.actor, None)

    async def _place(self, spec: ActorSpec, placing: Placing) -> NodeId:
        while True:
            choice = self.choose(spec.request)
            if isinstance(choice, Verdict):
                raise Unplaceable(str(spec), choice.needed, choice.best_node)
            for placing.asked in choice.nodes:
                host = await self._taken_by(placing.asked, spec)
                if host is not None:
                    self._homes[spec.actor] = host
                    if len(self._homes) > HOMES_MAX:
                        self._homes.pop(next(iter(self._homes)))
                    return host
            placing.asked = None
            await self.wait_for_news()

    async def _taken_by(self, node: NodeId, spec: ActorSpec) -> NodeId | None:
        """Ask `node` to take the actor. Returns where it is then: there, or in a process of its own there."""
        # Counted before it is asked, or a burst of actors would all be sent to the same node.
        self._placed[node] += 1
        taken: NodeId | None = None
        try:
            answer = await self._ask_create(node, spec)
            taken = place_of(self.node, answer) if isinstance(answer, tuple) else node if answer == CREATED else None
        except NodeError:
            pass
        except ActorUnavailable:
            # The connection broke in the middle. If the node lives and made the actor, that one is one too many.
            self.system.notify(node, SERVICE, "withdraw_here", *spec.actor.node, spec.actor.number)
        except asyncio.CancelledError:
            # Killed while it was being made. The node hears this after the request, and undoes it.
            self.system.notify(node, SERVICE, "withdraw_here", *spec.actor.node, spec.actor.number)
            raise
        finally:
            if taken is None and node in self._placed:  # it is not when the node went down meanwhile
                self._placed[node] -= 1
        return taken

    async def _ask_create(self, node: NodeId, spec: ActorSpec) -> str | Placed:
        code = self.system.code
        peer = self.node.router.peer(node)
        if peer.is_self:
            return await self.create_here(peer, spec, None)
        ask = functools.partial(self.system.request, node, SERVICE, "create_here", spec, trace=spec.trace)
        answer: str | Placed = await ask(code.blob_for(peer, spec.code))
        answer = await ask(code.blob(spec.code)) if answer == NEEDS_CODE else answer
        return tuple(answer) if answer[0] == PLACED else answer

    async def create_here(self, peer: Peer, spec: ActorSpec, blob: bytes | None) -> str | Placed:
        """Another node asks this one to host an actor."""
        code = self.system.code
        if blob is not None:
            code.keep(blob)
        if code.blob(spec.code) is None:
            return NEEDS_CODE
        is_open = self.takes_from(peer) and not self.room.is_closed
        if not is_open or not self.room.acquire(spec.actor, spec.request, for_life=True):
            return REFUSED
        for tell in self.on_room_taken:
            tell()
        if spec.isolation is not None and self.processes.can_isolate:
            return await self.isolated.create(spec)
        self.hosted[spec.actor] = spec
        token = current_system.set(self.system)
        try:
            definition = definition_of(self.system, spec)
            args, kwargs = decode(spec.body, [bytearray(buffer) for buffer in spec.buffers])
        except Exception as error:
            self.forget(spec.actor)
            self.isolated.tell_ended(spec, f"{UNREADABLE}{in_words(error)}")
            raise unreadable(spec, self.node.me.name, error) from error
        finally:
            current_system.reset(token)
        options = CellOptions(
            name=spec.name,
            owner=spec.owner,
            life=spec.life,
            max_restarts=spec.max_restarts,
            max_concurrency=spec.max_concurrency,
            mailbox_max=spec.mailbox_max or self.node.config.mailbox_max,
            dedicated_thread=spec.dedicated_thread,
            trap_exit=spec.trap_exit,
            trace=spec.trace,
            stop_timeout_s=spec.stop_timeout_s,
            concurrency_groups=spec.concurrency_groups,
            namespace=spec.namespace,
            tracing=spec.tracing,
            made_by=spec.made_by,
        )
        if spec.counted:
            self.scope.begin(spec.actor, spec.actor.node, spec.life)
        self.system.start_cell(spec.actor, definition, options, args, kwargs)
        return CREATED

    def takes_from(self, peer: Peer) -> bool:
        """Whether this node takes work from that one: from any, or, being the process of another node, from that."""
        config = self.node.config
        return config.hosts_actors or (bool(config.hosted_by) and config.hosted_by == peer.node.name)

    # ---- ending -----------------------------------------------------------------------------------------------

    async def kill(self, location: Location, no_restart: bool = True) -> None:
        """End an actor wherever it is; its name and its guardians' records go with it. Returns when it has ended.

        Without `no_restart`, one that may be restarted is, and keeps them. Then this returns when it ends.
        """
        maker, number = location.actor
        if not no_restart and location.peer is not None and location.can_restart:
            await self.guardian.ask_to_restart(location.peer.node, location.actor)
            return
        with contextlib.suppress(NodeError, ActorUnavailable):  # where nobody answers, nothing is left to be ended
            if location.state == PENDING:
                # Whoever makes it can also give that up; else it knows by now where the actor is.
                if await self.system.request(maker, SERVICE, "give_up", number):
                    return
                await self._locate(location)
            peer = location.peer
            placed_on = self._homes.pop(location.actor, None)
            if placed_on is not None and self._placed[placed_on] > 0:
                self._placed[placed_on] -= 1  # "spread" need not remember it
            self.guardian.dismiss(location)
            self.system.fail_location(location, location.stopped_error("it was killed"))
            if peer is not None and peer.down is None:
                keeper = self.node.directory.keeper(peer.node) or peer.node
                await self.system.request(keeper, SERVICE, "stop_here", *maker, number)

    async def give_up(self, peer: Peer, number: int) -> bool:
        """An actor of this node's making is killed. Returns whether it was still being made."""
        job = self._creating.get(ActorId(self.node.me, number))
        if job is None:
            return False
        job.cancel()
        await asyncio.wait([job])
        return True

    async def stop_here(self, peer: Peer, name: str, incarnation: int, number: int) -> bool:
        """Another node asks to end an actor of this one. Answers when `on_stop` has run and its name is free."""
        actor = ActorId(NodeId(name, incarnation), number)
        cell, spec = self.system.cell(actor), self.hosted.get(actor)
        if actor in self.isolated:
            await self.isolated.stop(actor, f"it was killed by node {peer.node.name}")
            return True
        if cell is None:
            return False
        ended = self._ending.setdefault(actor, self.system.loop.create_future())
        cell.stop(f"it was killed by node {peer.node.name}")
        await asyncio.shield(ended)
        if spec is not None:
            await self.names.release_now(spec)
        return True

    async def withdraw_here(self, peer: Peer, name: str, incarnation: int, number: int) -> None:
        """Another node does not know whether its request to make an actor here was heard, and makes it elsewhere."""
        actor = ActorId(NodeId(name, incarnation), number)
        self.isolated.withdraw(actor, f"node {peer.node.name} makes it elsewhere")
        self.forget(actor)  # so that its end is not announced as that of the other one
        cell = self.system.cell(actor)
        if cell is not None:
            cell.stop(f"node {peer.node.name} makes it elsewhere")

    def _cell_stopped(self, cell: Cell) -> None:
        ended = self._ending.pop(cell.actor, None)
        if ended is not None:
            ended.set_result(None)
        spec = self.forget(cell.actor)
        releasing = self.names.release(spec) if spec is not None else None
        if releasing is not None:
            self.releasing[cell.actor] = releasing
            releasing.add_done_callback(lambda _: self.releasing.pop(cell.actor, None))
        if spec is not None and spec.max_restarts:
            self.guardian.announce_end(spec, cell.reason)

    def forget(self, actor: ActorId) -> ActorSpec | None:
        """What an actor holds here is free; nobody is told of its end. Returns what it was made of."""
        if self.room.release(actor):
            self.room_made()
        return self.hosted.pop(actor, None)

    def _node_down(self, record: NodeRecord, why: str) -> None:
        for cell in self.system.local_cells():
            if cell.options.owner == record.node:
                cell.stop(f"its owner, node {record.node.name}, is gone: {why}")
        self.names.tell_again(self.hosted.values(), record.node)

    def _given_up(self) -> None:
        self._end_all("the other nodes believed its node to be down", but_restartable=True)
        self.guardian.taken_for_down()

    def _end_all(self, why: str, but_restartable: bool = False) -> None:
        """For the other nodes the actors of this one have ended, and some live elsewhere by now."""
        for process in self.processes.running:
            process.kill(why)
        for cell in self.system.local_cells():
            if but_restartable and cell.options.max_restarts:
                continue
            self.forget(cell.actor)  # so that its end is not announced as that of the other one
            cell.stop(why)
