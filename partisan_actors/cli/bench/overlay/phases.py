"""The overlay benchmark: nodes join, get to know each other, broadcast, rest, lose a process of them, and heal."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from partisan_actors.cli.bench.overlay.crew import Crew
from partisan_actors.cli.bench.overlay.graph import Shape
from partisan_actors.cli.bench.overlay.plan import OverlayPlan
from partisan_actors.cli.bench.samples import percentile

__all__ = ["Broadcasts", "Loss", "OverlayResult", "Rest", "run_overlay"]

# What is looked at often is asked for in proportion to what asking costs: a look takes at most a fifth of the time.
LOOK_LEAST_S: Final = 0.02
LOOK_SHARE: Final = 5
DELIVERY_S: Final = 15.0
# How long a link may be one-sided before it counts as that: while it is made or dropped, one of its ends is the first.
ONE_SIDED_S: Final = 10.0
# How long no link may have come or gone before the overlay counts as at rest, and for how long that is waited for.
QUIET_S: Final = 2.0
SETTLE_S_MAX: Final = 30.0
ANNOUNCE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Broadcasts:
    """What came of some broadcasts. A redundancy of 0 is one payload for each receiver; of 1, two."""

    count: int
    expected: int
    delivered: int
    copies: int
    last_s: tuple[float, ...]  # for each, until the last node had it
    each_s: tuple[float, ...]  # percentiles 50, 90, 99, 100 of all receptions

    @property
    def redundancy(self) -> float:
        """Payloads beyond the first, for each that was delivered."""
        return self.copies / self.delivered - 1 if self.delivered else 0.0


@dataclass(frozen=True, slots=True)
class Rest:
    """What the overlay costs while nothing happens."""

    seconds: float
    bytes_per_node_s: float
    messages_per_node_s: float
    cpu_share: float  # of one core, all processes together
    by_tag: dict[str, float]  # messages per node and second


@dataclass(frozen=True, slots=True)
class Loss:
    """A process was killed: `nodes` nodes at once. Seconds from the signal; None: not within the limit.

    `cpu_s` and `messages` are what that took of the others, in processor seconds and by tag, until all was well.
    """

    nodes: int
    noticed_s: float | None
    healed_s: float | None
    shape: Shape
    broadcasts: Broadcasts
    cpu_s: float = 0.0
    messages: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class OverlayResult:
    """All that was measured in one run. Seconds from the first node's start; None: not within the limit."""

    plan: OverlayPlan
    sound_s: float | None = None
    known_s: float | None = None
    shape: Shape | None = None
    join_cpu_s: float = 0.0
    join_bytes: float = 0.0
    join_messages: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    files_most: int = 0
    memory_bytes: int = 0
    rest: Rest | None = None
    broadcasts: Broadcasts | None = None
    loss: Loss | None = None
    failures: list[str] = field(default_factory=list)

    def checks(self) -> dict[str, bool]:
        """What a run has to show, and whether it did."""
        shape, broadcasts, loss = self.shape, self.broadcasts, self.loss
        checks = {
            "every node started": not self.failures,
            "one connected overlay": shape is not None and shape.is_connected,
            "no one-sided link": shape is not None and shape.one_sided == 0,
            "every node knows every node": self.known_s is not None,
        }
        if broadcasts is not None:
            checks["every broadcast delivered"] = broadcasts.delivered == broadcasts.expected
        if loss is not None:
            checks["every death noticed"] = loss.noticed_s is not None
            checks["overlay healed"] = loss.healed_s is not None
            checks["every broadcast delivered afterwards"] = loss.broadcasts.delivered == loss.broadcasts.expected
        return checks

    @property
    def is_good(self) -> bool:
        """Whether all of them hold."""
        return all(self.checks().values())

    def to_json(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return {**asdict(self), "checks": self.checks()}


class _Run:
    def __init__(self, plan: OverlayPlan, crew: Crew, announce: Callable[[str], None]) -> None:
        self._plan = plan
        self._crew = crew
        self._announce = announce
        self._rng = random.Random(1)
        self._identity = 0
        self._began = 0.0
        self._announced = float("-inf")
        self._alive = list(range(plan.nodes))

    async def all(self) -> OverlayResult:
        plan, result = self._plan, OverlayResult(self._plan)
        await self._join(result)
        if result.sound_s is None or result.known_s is None:
            return result
        await self._settle()
        counts = await self._crew.ask("count")
        result.connections = sum(count["connections"] for count in counts) // 2
        result.files_most = max(count["files"] for count in counts)
        result.memory_bytes = sum(count["memory"] for count in counts)
        if plan.broadcasts:
            self._announce(f"{plan.broadcasts} broadcasts")
            result.broadcasts = await self._broadcast(plan.broadcasts)
        if plan.steady_s:
            self._announce(f"at rest for {plan.steady_s:g} s")
            result.rest = await self._rest(plan.steady_s)
        result.shape = await self._shape()
        if plan.kills:
            result.loss = await self._lose()
        return result

    # ---- joining ------------------------------------------------------------------------------------------------

    async def _join(self, result: OverlayResult) -> None:
        plan = self._plan
        self._announce(f"{plan.nodes} nodes of {plan.overlay} in {plan.processes} processes join")
        begin = time.monotonic()
        contacts = await self._start_contacts(begin)
        # The contacts are the first ones; from now on, the others' numbers say when they come.
        self._began = time.monotonic()
        first = self._began - plan.contacts * plan.interval_s
        await asyncio.gather(
            *(
                member.ask(
                    "start",
                    numbers=[number for number in plan.nodes_of(member.number) if number >= plan.contacts],
                    contacts=contacts,
                    begin=first,
                    interval_s=plan.interval_s,
                )
                for member in self._crew.members
            )
        )
        limit_s = plan.limit_s + plan.nodes * plan.interval_s
        result.sound_s, result.known_s = await self._until_whole(limit_s, result)
        counts = await self._crew.ask("count")
        result.join_cpu_s = sum(count["cpu_s"] for count in counts)
        result.join_bytes = sum(count["bytes"] for count in counts)
        result.join_messages = _summed([count["messages"] for count in counts])

    async def _start_contacts(self, begin: float) -> list[str]:
        contacts: list[str] = []
        for number in range(self._plan.contacts):
            member = self._crew.members[self._plan.process_of(number)]
            await member.ask("start", numbers=[number], contacts=contacts[:1], begin=begin, interval_s=0.0)
            contacts += await member.ask("addresses", numbers=[number])
        return contacts

    async def _until_whole(self, limit_s: float, result: OverlayResult | None) -> tuple[float | None, float | None]:
        """Seconds until the overlay is connected and symmetric, and until every node knows exactly those alive."""
        expected = len(self._alive)
        self._announced = 0.0
        sound_s: float | None = None
        known_s: float | None = None

        async def look() -> bool:
            nonlocal sound_s, known_s
            at = time.monotonic() - self._began
            looks = await self._crew.ask("look", expected=expected)
            shape = _shape_of(looks)
            is_complete = shape.nodes == expected and all(look["joining"] == 0 for look in looks)
            if result is not None:
                result.shape, result.failures = shape, [text for look in looks for text in look["failures"]]
            known = sum(look["known"] for look in looks)
            fewest, most = min(look["fewest"] for look in looks), max(look["most"] for look in looks)
            # Sound for good, as far as is seen: an overlay that still changes may be whole by chance.
            sound_s = (sound_s or at) if is_complete and shape.is_sound else None
            known_s = (known_s or at) if known == expected else None
            if at >= self._announced + ANNOUNCE_S or (sound_s and known_s):
                self._announced = at
                self._announce(
                    f"{at:6.1f} s: {shape.nodes} nodes, {shape.links} links, {shape.one_sided} one-sided, largest part "
                    f"{shape.largest_part}, {known} know all (each knows {fewest}-{most})"
                )
            return bool(sound_s and known_s)

        await self._until(look, limit_s)
        return sound_s, known_s

    async def _until(self, look: Callable[[], Awaitable[bool]], limit_s: float) -> bool:
        deadline = self._began + limit_s
        while True:
            asked = time.monotonic()
            if await look():
                return True
            now = time.monotonic()
            if now > deadline:
                return False
            await asyncio.sleep(max(LOOK_LEAST_S, LOOK_SHARE * (now - asked)))

    async def _shape(self) -> Shape:
        deadline = time.monotonic() + ONE_SIDED_S
        while True:
            shape = _shape_of(await self._crew.ask("look", expected=0))
            if not shape.one_sided or time.monotonic() > deadline:
                return shape
            await asyncio.sleep(LOOK_LEAST_S)

    async def _settle(self) -> None:
        """Wait until no link has come or gone for a while: nodes still fill the places that they have free.

        A broadcast that goes round while they do may miss a node, and what it costs says nothing of the rest.
        """
        deadline = time.monotonic() + SETTLE_S_MAX
        last, since = None, time.monotonic()
        while time.monotonic() < min(deadline, since + QUIET_S):
            await asyncio.sleep(QUIET_S / 5)
            looks = await self._crew.ask("look", expected=0)
            links = [look["links"] for look in looks]
            if links != last:
                last, since = links, time.monotonic()

    # ---- the other phases ---------------------------------------------------------------------------------------

    async def _broadcast(self, count: int) -> Broadcasts:
        receivers = len(self._alive) - 1
        last, each, copies = [], [], 0
        for _ in range(count):
            self._identity += 1
            latencies, copied = await self._broadcast_once(self._rng.choice(self._alive), self._identity, receivers)
            last.append(max(latencies, default=0.0))
            each += latencies
            copies += copied
        shares = tuple(percentile(each, share) for share in (0.5, 0.9, 0.99, 1.0)) if each else ()
        return Broadcasts(count, count * receivers, len(each), copies, tuple(last), shares)

    async def _broadcast_once(self, number: int, identity: int, receivers: int) -> tuple[list[float], int]:
        member = self._crew.members[self._plan.process_of(number)]
        await member.ask("broadcast", number=number, identity=identity)
        deadline = time.monotonic() + DELIVERY_S
        while True:
            answers = await self._crew.ask("delivered", identity=identity)
            latencies = [latency for answer in answers for latency in answer["latencies"]]
            if len(latencies) >= receivers or time.monotonic() > deadline:
                break
            await asyncio.sleep(LOOK_LEAST_S)
        await asyncio.sleep(LOOK_LEAST_S)  # for the last copies
        answers = await self._crew.ask("delivered", identity=identity)
        return latencies, sum(answer["copies"] for answer in answers)

    async def _rest(self, seconds: float) -> Rest:
        before = await self._crew.ask("count")
        await asyncio.sleep(seconds)
        after = await self._crew.ask("count")
        pairs = list(zip(before, after, strict=True))
        passed = sum(b["at"] - a["at"] for a, b in pairs) / len(pairs)
        per_node_s = 1 / (passed * len(self._alive))
        earlier, later = _summed([a["messages"] for a in before]), _summed([b["messages"] for b in after])
        by_tag = {tag: (later[tag] - earlier.get(tag, 0)) * per_node_s for tag in sorted(later)}
        return Rest(
            seconds=passed,
            bytes_per_node_s=sum(b["bytes"] - a["bytes"] for a, b in pairs) * per_node_s,
            messages_per_node_s=sum(by_tag.values()),
            cpu_share=sum(b["cpu_s"] - a["cpu_s"] for a, b in pairs) / passed,
            by_tag={tag: rate for tag, rate in by_tag.items() if rate},
        )

    async def _lose(self) -> Loss:
        plan = self._plan
        lost = set(plan.nodes_of(plan.processes - 1))
        self._announce(f"killing a process of {len(lost)} nodes")
        self._alive = [number for number in self._alive if number not in lost]
        self._began = time.monotonic()
        self._crew.kill_last()
        before = await self._crew.ask("count")
        healed_s, noticed_s = await self._until_whole(plan.limit_s, None)
        after = await self._crew.ask("count")
        earlier, later = (_summed([count["messages"] for count in counts]) for counts in (before, after))
        cpu_s = sum(b["cpu_s"] - a["cpu_s"] for a, b in zip(before, after, strict=True))
        messages = {tag: later[tag] - earlier.get(tag, 0) for tag in sorted(later) if later[tag] != earlier.get(tag)}
        await self._settle()
        broadcasts = await self._broadcast(plan.broadcasts)
        return Loss(len(lost), noticed_s, healed_s, await self._shape(), broadcasts, cpu_s, messages)


async def run_overlay(plan: OverlayPlan, announce: Callable[[str], None]) -> OverlayResult:
    """Run one benchmark. Raises MemberLost when one of its processes ends or hangs; none is left in any case."""
    settings = {"plan": plan.to_json(), "cluster": "bench", "cookie": secrets.token_hex(16)}
    async with Crew.started(plan.processes, settings) as crew:
        return await _Run(plan, crew, announce).all()


def _shape_of(looks: Sequence[dict[str, Any]]) -> Shape:
    return Shape.of({int(number): there for look in looks for number, there in look["links"].items()})


def _summed(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for key, value in count.items():
            total[key] = total.get(key, 0) + value
    return total
