"""`Wires`: byte streams between nodes in virtual time, with latency and faults: what TCP would make of such a network.

Every node has a loop of its own, and a door (a `transport.base.Transport`) to these wires. What a stream promises:

1. Bytes arrive in order, or not at all once the stream is broken: a lost piece is sent again after RESEND_S, and holds
   up those behind it. Reordering and duplication are therefore not seen by its ends, only the delay they cost.
2. Through a cut nothing passes, and nobody is told: what was sent waits for the cut to heal, as does who dials.
   Keep-alive is there to notice that.
3. When a node crashes, the ends of its streams are told after one latency, as by the operating system of a process that
   was killed.
4. A writer that is WINDOW_BYTES ahead of its reader is paused.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.faults.rules import PASSES, Fate, Rule, Verdict, judge
from partisan_actors.simulation.clock import NANOSECONDS_PER_SECOND, nanoseconds
from partisan_actors.simulation.loop import VirtualLoop
from partisan_actors.simulation.network import Latency
from partisan_actors.simulation.streams import stream

__all__ = ["Door", "Wires"]

RESEND_S: Final = 0.2
RESENDS_MAX: Final = 8
WINDOW_BYTES: Final = 4 * 1024 * 1024
_SHUT: Final = Verdict(Fate.CUT_OFF)
KIND: Final = "bytes"  # of messages, these wires know no more


class Wires:
    """The network of one simulated cluster. Nodes have names, and listen at addresses ``name:port``."""

    def __init__(self, seed: int, latency: Latency) -> None:
        self._seed = seed
        self._latency = latency
        self._randoms: dict[tuple[str, str], random.Random] = {}
        self._listening: dict[str, tuple[str, VirtualLoop, Callable[[], asyncio.BaseProtocol]]] = {}
        self._streams: dict[_Stream, None] = {}
        self._dialling: dict[asyncio.Future[None], tuple[str, str]] = {}
        self._ports = 0
        self._hash = hashlib.blake2b(digest_size=16)
        self.rules: list[Rule] = []
        self._is_shut = False
        self.pieces = 0  # pieces of bytes that have arrived

    @property
    def trace_hash(self) -> str:
        """A hash of every piece of bytes that has arrived so far: when, from whom and to whom, in order.

        Not of the bytes: how a class is pickled depends on what else the process has pickled before.
        """
        return self._hash.hexdigest()

    def door(self, name: str, loop: VirtualLoop) -> Door:
        """The transport of a node."""
        return Door(self, name, loop)

    def impose(self, rule: Rule) -> None:
        """From now on what is sent is judged by `rule` too."""
        self.rules.append(rule)

    def lift(self, rule: Rule) -> None:
        """No longer; what waited for that goes on its way."""
        self.rules = [other for other in self.rules if other is not rule]
        for each in list(self._streams):
            each.push()
        for waiting, (sender, receiver) in list(self._dialling.items()):
            if not waiting.done() and not self.is_blocked(sender, receiver):
                waiting.set_result(None)

    def reset(self, is_hit: Callable[[str, str], bool]) -> None:
        """Break the streams between nodes for whose names `is_hit` says so; what is on its way is lost."""
        for each in list(self._streams):
            if is_hit(each.here, each.there):
                each.fail(ConnectionResetError("the connection was reset"))

    def crash(self, name: str) -> None:
        """The process of that node is gone."""
        self._listening = {address: entry for address, entry in self._listening.items() if entry[0] != name}
        for each in list(self._streams):
            if each.here == name:
                each.die()

    def is_blocked(self, sender: str, receiver: str) -> bool:
        """Whether nothing passes between the two now, in one direction or the other."""
        return any(
            self.judge(*pair).fate in (Fate.CUT_OFF, Fate.HELD) for pair in ((sender, receiver), (receiver, sender))
        )

    def shut(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._is_shut = True

    # ---- for its doors and streams ------------------------------------------------------------------------------

    def judge(self, sender: str, receiver: str) -> Verdict:
        """What becomes of a piece of bytes sent now."""
        if self._is_shut:
            return _SHUT
        if not self.rules:
            return PASSES
        return judge(
            self.rules, sender, receiver, KIND, lambda rule: self._random(sender, type(rule.operation).__name__)
        )

    def latency_ns(self, sender: str, receiver: str) -> int:
        """How long a piece sent now takes."""
        return self._latency(sender, receiver, self._random(sender, "latency"))

    def has_arrived(self, sender: str, receiver: str, now_ns: int) -> None:
        """Note it in the trace."""
        self.pieces += 1
        self._hash.update(f"{now_ns} {sender} {receiver} ".encode())

    def listen(self, address: str, name: str, loop: VirtualLoop, factory: Callable[[], asyncio.BaseProtocol]) -> str:
        """See `Door.listen`."""
        host, _, port = address.rpartition(":")
        if port == "0":
            self._ports += 1
            address = f"{host}:{self._ports}"
        if address in self._listening:
            raise ConfigError("bind", address, "an address that can be bound here (in use)")
        self._listening[address] = (name, loop, factory)
        return address

    def close(self, address: str) -> None:
        """Nobody listens there any more."""
        self._listening.pop(address, None)

    async def dial(self, caller: str, loop: VirtualLoop, address: str, factory: Callable[[], Any]) -> None:
        """See `Door.dial`."""
        called = self._listening.get(address, (address.rpartition(":")[0], loop, None))[0]
        await asyncio.sleep(self.latency_ns(caller, called) / NANOSECONDS_PER_SECOND)
        while self.is_blocked(caller, called):
            waiting = loop.create_future()
            self._dialling[waiting] = (caller, called)
            try:
                await waiting
            finally:
                del self._dialling[waiting]
        entry = self._listening.get(address)
        if entry is None:
            raise ConnectionRefusedError(f"nobody listens at {address}")
        called, their_loop, accept = entry
        ours = _Stream(self, loop, caller, called, factory())
        theirs = _Stream(self, their_loop, called, caller, None)
        ours.other, theirs.other = theirs, ours
        self._streams[ours] = self._streams[theirs] = None
        their_loop.call_soon(theirs.accept, accept)
        ours.connected()

    def forget(self, stream_end: _Stream) -> None:
        """It is closed."""
        self._streams.pop(stream_end, None)

    def _random(self, name: str, purpose: str) -> random.Random:
        rng = self._randoms.get((name, purpose))
        if rng is None:
            rng = self._randoms[name, purpose] = stream(self._seed, name, purpose)
        return rng


class Door:
    """One node's way to the wires: a `transport.base.Transport`."""

    def __init__(self, wires: Wires, name: str, loop: VirtualLoop) -> None:
        self._wires = wires
        self._name = name
        self._loop = loop
        self._addresses: list[str] = []

    async def listen(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> str:
        """Accept at ``name:port``; port 0 takes a free one. Returns the bound address. Raises ConfigError."""
        self._addresses.append(self._wires.listen(address, self._name, self._loop, factory))
        return self._addresses[-1]

    async def dial(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """Open a byte stream. Raises ConnectionRefusedError when nobody listens there; waits where nothing passes."""
        await self._wires.dial(self._name, self._loop, address, factory)

    async def close(self) -> None:
        """Stop listening."""
        for address in self._addresses:
            self._wires.close(address)
        self._addresses.clear()


class _Stream(asyncio.Transport):
    """One end of a stream: what `here` sends to `there`."""

    other: _Stream

    def __init__(self, wires: Wires, loop: VirtualLoop, here: str, there: str, protocol: Any) -> None:
        super().__init__()
        self.here = here
        self.there = there
        self._wires = wires
        self._loop = loop
        self._protocol = protocol
        self._unsent: deque[bytes | None] = deque()  # None is the end
        self._under_way: deque[bytes | None] = deque()  # in order, whatever asyncio makes of equal times
        self._bytes = 0  # unsent or under way
        self._last_arrival_ns = 0
        self._early: list[bytes | None] = []  # came before this end was accepted
        self._is_paused = False
        self._is_closing = False
        self._is_lost = False

    def accept(self, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """On the side that listens: the other side has dialled."""
        if not self._is_lost:
            self._protocol = factory()
            self.connected()
            early, self._early = self._early, []
            for data in early:
                self._feed(data)

    def connected(self) -> None:
        """Tell the protocol."""
        self._protocol.connection_made(self)

    # asyncio.Transport.

    def write(self, data: Any) -> None:
        if not self._is_closing:
            self._queue(bytes(data))

    def writelines(self, pieces: Iterable[Any]) -> None:
        self.write(b"".join(pieces))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Accepted and ignored: the bound is WINDOW_BYTES."""

    def get_write_buffer_size(self) -> int:
        return self._bytes

    def pause_reading(self) -> None:
        """Nothing: what comes is handed over piece by piece anyway."""

    def resume_reading(self) -> None:
        """Nothing, as above."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._queue(None)
            self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        self._unsent.clear()
        self.close()

    # The network.

    def fail(self, error: Exception) -> None:
        """The stream is broken: this end is told, and what it had sent is lost."""
        self._is_closing = True
        self._unsent.clear()
        self._loop.call_soon(self._lose, error)

    def die(self) -> None:
        """The process at this end is gone."""
        self._is_closing = self._is_lost = True
        self._wires.forget(self)
        self._unsent.append(None)
        self.push()

    def push(self) -> None:
        """Send what may be sent now."""
        wires = self._wires
        while self._unsent:
            verdict = wires.judge(self.here, self.there)
            if verdict.fate in (Fate.CUT_OFF, Fate.HELD):
                return
            late_ns = nanoseconds(verdict.delay_s)
            for resend in range(RESENDS_MAX):
                if verdict.fate is not Fate.LOST:
                    break
                late_ns += nanoseconds(RESEND_S * 2**resend)
                verdict = wires.judge(self.here, self.there)
            self._under_way.append(self._unsent.popleft())
            now_ns = nanoseconds(self._loop.time())
            arrival_ns = max(now_ns + wires.latency_ns(self.here, self.there) + late_ns, self._last_arrival_ns)
            self._last_arrival_ns = arrival_ns
            self.other._loop.call_at(arrival_ns / NANOSECONDS_PER_SECOND, self._arrive)

    def _queue(self, data: bytes | None) -> None:
        self._unsent.append(data)
        self._bytes += len(data or b"")
        self.push()
        if self._bytes > WINDOW_BYTES and not self._is_paused and not self._is_closing:
            self._is_paused = True
            self._protocol.pause_writing()

    def _arrive(self) -> None:
        # On the other end's loop.
        data = self._under_way.popleft()
        self._bytes -= len(data or b"")
        if self._is_paused and self._bytes <= WINDOW_BYTES // 2:
            self._is_paused = False
            self._loop.call_soon(self._resume)
        other = self.other
        if not other._is_lost:
            self._wires.has_arrived(self.here, self.there, nanoseconds(other._loop.time()))
            other._feed(data)

    def _resume(self) -> None:
        if not self._is_lost:
            self._protocol.resume_writing()

    def _feed(self, data: bytes | None) -> None:
        if self._protocol is None:
            self._early.append(data)
        elif data is None:
            self._lose(ConnectionResetError("the other side closed"))
        else:
            view = memoryview(data)
            while len(view) and not self._is_closing:  # whoever has closed a socket reads no more of it
                target = self._protocol.get_buffer(len(view))
                count = min(len(target), len(view))
                target[:count] = view[:count]
                view = view[count:]
                self._protocol.buffer_updated(count)

    def _lose(self, error: BaseException | None) -> None:
        self._is_closing = True
        if not self._is_lost:
            self._is_lost = True
            self._wires.forget(self)
            if self._protocol is not None:
                self._protocol.connection_lost(error)
