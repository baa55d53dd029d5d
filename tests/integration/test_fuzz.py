"""A hundred thousand hostile byte streams at the port of a node, from strangers and from those who know the cookie.

They are drawn from seeds, in memory for their number and over sockets for a sample. The node goes on, answers others,
unpickles nothing, grows by nothing but bounded tables, and every stream that it refused is counted under some kind.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import random
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from partisan_actors.api.runtime import Runtime
from partisan_actors.node import strangers
from partisan_actors.transport.memory import MemoryNetwork
from partisan_actors.wire import payload
from partisan_actors.wire.frames import HELLO, HELLO_HEADER
from tests import hostile
from tests.integration.programs import ROOT
from tests.nodes import COOKIE, until
from tests.unit.api.runtimes import door, runtimes

# A message may be of as many bytes: what one announces is made room for at once.
MESSAGE_BYTES_MAX = 1 << 20
# Growth that is no growth: caches fill once.
OBJECTS_MAX = 60_000
BYTES_MAX = 64 << 20
# The strangers that are remembered, and the two nodes themselves.
KEPT_MAX = strangers.STRANGERS_KEPT + 10


class Stranger(asyncio.BufferedProtocol):
    """The dialling end of a stream in memory; with a handshake it takes its part in that."""

    def __init__(self, handshake: Any = None) -> None:
        self.handshake = handshake
        self.stream: Any = None
        self._view = memoryview(bytearray(1 << 16))
        self._heard = bytearray()

    def connection_made(self, transport: Any) -> None:
        self.stream = transport
        if self.handshake is not None:
            self.handshake.start()
            self._say()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, count: int) -> None:
        if self.handshake is None or self.handshake.done:
            return
        self._heard += self._view[:count]
        while len(self._heard) >= HELLO_HEADER.size:
            length, kind, _ = HELLO_HEADER.unpack_from(self._heard)
            body = bytes(self._heard[HELLO_HEADER.size : HELLO_HEADER.size + length])
            if kind != HELLO or len(body) < length:
                return
            del self._heard[: HELLO_HEADER.size + length]
            self.handshake.receive(body)
            self._say()

    def connection_lost(self, error: BaseException | None) -> None: ...

    def _say(self) -> None:
        for body in self.handshake.output:
            self.stream.write(HELLO_HEADER.pack(len(body), HELLO, 0) + body)
        self.handshake.output.clear()


@contextmanager
def nothing_is_unpickled() -> Iterator[None]:
    """Not even for those who know the cookie, as long as they name no actor that there is."""
    dumps, loads = pickle.dumps, pickle.loads
    ours: deque[bytes] = deque(maxlen=10)
    theirs: list[bytes] = []

    def spy(*args: Any, **kwargs: Any) -> bytes:
        body = dumps(*args, **kwargs)
        ours.append(body)
        return body

    def refuse(body: bytes, **kwargs: Any) -> Any:
        if bytes(body) in ours:  # a node tries whether what it raises can be unpickled
            return loads(body, **kwargs)
        theirs.append(body)
        raise AssertionError("something was unpickled")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payload.pickle, "dumps", spy)
        patch.setattr(payload.pickle, "loads", refuse)
        yield
    assert not theirs


async def settled(condition: Callable[[], bool], turns: int = 50) -> None:
    """Return once it holds, or after so many turns of the loop: over memory, nothing waits for time."""
    while turns and not condition():
        await asyncio.sleep(0)
        turns -= 1


async def attack(victim: Runtime, network: MemoryNetwork, seed: int, *, knows_the_cookie: bool) -> None:
    rng = random.Random(seed)
    handshake = hostile.shake_hands(COOKIE, dict(victim.node.lanes), rng) if knows_the_cookie else None
    stranger = Stranger(handshake)
    await door(network).dial(victim.node.address, lambda: stranger)
    if handshake is not None:
        await settled(lambda: handshake.done)
        assert handshake.done, f"seed {seed}"
    stranger.stream.write((hostile.after_handshake if knows_the_cookie else hostile.before_handshake)(rng))
    await settled(lambda: False, 3)
    stranger.stream.close()


async def siege(seeds: range, *, knows_the_cookie: bool) -> None:
    """Attack one of two nodes, and see that it is what it was."""
    network = MemoryNetwork()
    raised: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: raised.append(context))
    settings: dict[str, Any] = {"message_bytes_max": MESSAGE_BYTES_MAX, "session_resume_s": 0.2}
    async with runtimes(network, "victim", "witness", **settings) as (victim, witness):
        node, process = victim.node, psutil.Process()
        warm_up = max(1, len(seeds) // 10)
        before = (0, 0)
        with nothing_is_unpickled():
            for number, seed in enumerate(seeds):
                if number == warm_up:
                    await until(lambda: len(node.router.peers) <= KEPT_MAX, "strangers to be forgotten")
                    gc.collect()
                    before = len(gc.get_objects()), process.memory_info().rss
                await attack(victim, network, seed, knows_the_cookie=knows_the_cookie)
                assert len(node.router.peers) < strangers.STRANGERS_KEPT + 10_000, "the sweep comes every second"

        assert await witness.system.request(node.me, "inspect", "nodes", timeout_s=30)
        await until(lambda: node.dialling.connection_count < 20, "connections of strangers are gone")
        await until(lambda: not node.sessions.broken_count, "nobody waits for a stranger to go on")
        assert victim.node.me in witness.node.neighbours() and witness.node.me in victim.node.neighbours()
        facts = node.refusals.facts()
        counted = [sum(f["count"] for f in facts if f["after_handshake"] is after) for after in (False, True)]
        assert counted == [node.refused_connections, node.broken_connections] and sum(counted) > len(seeds) // 2
        other = [fact for fact in facts if fact["kind"] == "other"]
        assert not other, "every refusal has a kind of its own"
        assert len(node.directory.records) == 2
        await until(lambda: len(node.router.peers) <= KEPT_MAX, "strangers to be forgotten")
        assert len(node.relays.ways()) <= KEPT_MAX, "streams that nobody needs are forgotten with them"
        gc.collect()
        grown = len(gc.get_objects()) - before[0], process.memory_info().rss - before[1]
        assert grown[0] < OBJECTS_MAX and grown[1] < BYTES_MAX, f"objects and bytes more: {grown}"
    assert not raised


@pytest.mark.parametrize("knows_the_cookie", [False, True], ids=["before the handshake", "after the handshake"])
async def test_a_thousand_hostile_streams_change_nothing(
    knows_the_cookie: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    await siege(range(1000), knows_the_cookie=knows_the_cookie)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("knows_the_cookie", [False, True], ids=["before the handshake", "after the handshake"])
async def test_a_hundred_thousand_hostile_streams_change_nothing(
    knows_the_cookie: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    await siege(range(1000, 101_000), knows_the_cookie=knows_the_cookie)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_bytes_that_are_chosen_by_the_lines_they_reach_change_nothing(tmp_path: Path) -> None:
    """A hundred thousand of them, beginning with some of those above."""
    pytest.importorskip("atheris", reason="atheris is not made for every Python: pip install atheris")
    for seed in range(200):
        rng = random.Random(seed)
        choice = seed % 4
        data = hostile.after_handshake(rng) if choice & 1 else hostile.before_handshake(rng)
        (tmp_path / f"{seed}").write_bytes(bytes([choice]) + data)
    command = [sys.executable, "-m", "tests.integration.fuzz_target", "-runs=100000", "-max_len=2000", "-seed=1"]

    result = subprocess.run(
        [*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=500, check=False
    )

    assert result.returncode == 0, result.stderr[-3000:]
    assert "Done 100000 runs" in result.stderr, result.stderr[-3000:]
