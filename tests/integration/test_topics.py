"""Topics between real processes: drivers, actors, asyncio, and programs in other shells."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.programs import Programs, wait_until
from tests.integration.shells import Shells


@pa.actor
class Listener:
    def __init__(self, topic: str) -> None:
        self.heard: list[Any] = []
        pa.subscribe(topic, self.hear)

    async def hear(self, value: Any) -> None:
        self.heard.append(value)

    async def all(self) -> list[Any]:
        return self.heard

    async def say(self, topic: str, value: Any) -> None:
        pa.broadcast(topic, value)


def listeners(topic: str, count: int = 4) -> list[pa.ActorHandle[Listener]]:
    made = [Listener.options(placement="spread").remote(topic) for _ in range(count)]
    assert pa.get([listener.all.remote() for listener in made]) == [[]] * count
    return made


def heard_by(made: list[pa.ActorHandle[Listener]]) -> list[list[Any]]:
    return pa.get([listener.all.remote() for listener in made])


def test_every_actor_on_every_node_hears_each_value_once(cluster: pa.Session) -> None:
    made = listeners("from the driver")
    values = [{"number": number, "text": "ä" * number} for number in range(50)]

    for value in values:
        pa.broadcast("from the driver", value)

    wait_until(lambda: all(len(heard) >= 50 for heard in heard_by(made)), "everybody to hear everything")
    assert [sorted(heard, key=lambda value: value["number"]) for heard in heard_by(made)] == [values] * 4


def test_actors_and_threads_broadcast_too_and_the_driver_hears_them(cluster: pa.Session) -> None:
    made = listeners("from all")
    mine: list[Any] = []
    with pa.subscribe("from all", mine.append):
        for number, listener in enumerate(made):
            listener.say.tell("from all", number)
        threads = [threading.Thread(target=pa.broadcast, args=("from all", number)) for number in range(4, 8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        wait_until(lambda: len(mine) >= 8 and all(len(heard) >= 8 for heard in heard_by(made)), "all to hear all")

    assert sorted(mine) == list(range(8))
    assert [sorted(heard) for heard in heard_by(made)] == [list(range(8))] * 4


def test_a_large_value_goes_as_a_ref_and_each_actor_gets_the_value(cluster: pa.Session) -> None:
    made = listeners("large")
    large = pa.put(b"x" * 3_000_000)

    pa.broadcast("large", large)

    wait_until(lambda: all(heard_by(made)), "everybody to have it")
    assert all(heard == [b"x" * 3_000_000] for heard in heard_by(made))


def test_what_cannot_be_broadcast_says_where_and_why(cluster: pa.Session) -> None:
    with pytest.raises(pa.SerializationError, match=r"value\['lock'\]"):
        pa.broadcast("bad", {"lock": threading.Lock()})
    with pytest.raises(pa.ConfigError, match="at most 1048576"):
        pa.broadcast("bad", bytes(2_000_000))
    with pytest.raises(pa.ConfigError, match="topic"):
        pa.broadcast("", 1)
    with pytest.raises(pa.ConfigError, match="channel"):
        pa.broadcast("bad", 1, channel="none")
    with pytest.raises(pa.ConfigError, match="callback"):
        pa.subscribe("bad", None)  # type: ignore[arg-type]  # the point of the test


def test_an_actor_that_is_killed_hears_no_more_and_others_do(cluster: pa.Session) -> None:
    first, second = listeners("killed", 2)

    pa.kill(first)
    pa.broadcast("killed", 1)

    wait_until(lambda: pa.get(second.all.remote()) == [1], "the other one to hear it")
    with pytest.raises(pa.ActorStopped):
        pa.get(first.all.remote())


IN_ASYNCIO = """
import asyncio
import partisan_actors as pa

@pa.actor
class Echo:
    def __init__(self):
        pa.subscribe("question", self.asked)

    async def asked(self, number):
        pa.broadcast("answer", 2 * number)

async def main():
    async with pa.init(workers=2):
        echo = Echo.remote()
        loop = asyncio.get_running_loop()
        answers = asyncio.Queue()
        async def take(answer):
            assert asyncio.get_running_loop() is loop
            answers.put_nowait(answer)
        pa.subscribe("answer", take)
        while True:
            pa.broadcast("question", 21)
            try:
                print("answer:", await asyncio.wait_for(answers.get(), 0.5))
                return
            except TimeoutError:
                pass  # the actor may not have subscribed yet

asyncio.run(main())
"""


def test_in_an_asyncio_program_coroutines_hear_on_its_own_loop(programs: Programs) -> None:
    assert "answer: 42" in programs.run(IN_ASYNCIO)


LISTENING = """
import sys
import partisan_actors as pa
with pa.init(sys.argv[1]):
    def hear(value):
        print("heard", value, flush=True)
    pa.subscribe("news", hear)
    print("listening", flush=True)
    sys.stdin.readline()
"""

SPEAKING = """
import sys
import partisan_actors as pa
with pa.init(sys.argv[1]):
    for value in ["one", {"two": 2}, "end"]:
        pa.broadcast("news", value)
"""


@pytest.mark.parametrize("overlay", ["hyparview", pytest.param("full_mesh", marks=pytest.mark.slow)])
def test_what_one_shell_broadcasts_others_hear_even_when_it_ends_at_once(
    programs: Programs, tmp_path: Path, overlay: str
) -> None:
    shells = Shells(programs, tmp_path)
    try:
        _, address = shells.start("--nodes", "2", "--overlay", overlay)
        listening = [shells.script(LISTENING, address) for _ in range(2)]
        for program in listening:
            program.wait_for("listening")

        speaking = shells.script(SPEAKING, address)
        assert speaking.wait() == 0

        for program in listening:
            for value in ("one", "{'two': 2}", "end"):
                program.wait_for(f"heard {value}")
    finally:
        shells.end()
