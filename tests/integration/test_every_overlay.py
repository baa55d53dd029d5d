"""The same program over every overlay: actors on six nodes, each calling each, a name, a topic, a death, a restart."""

from __future__ import annotations

import json
import os
from typing import Final

import pytest

from partisan_actors.node.overlay_names import OVERLAYS
from tests.integration.programs import ROOT, Programs

PATH: Final = os.pathsep.join([str(ROOT), str(ROOT / "examples")])
# Every process costs a second of start-up: the others run in `make test-all`.
QUICK: Final = ("hyparview", "client_server")

PROGRAM: Final = """
    import json, os, signal, sys, time
    import partisan_actors as pa

    @pa.actor(placement="spread")
    class Member:
        def __init__(self, number):
            self.number = number
            self.heard = []
            pa.subscribe("news", self.hear)
        def hear(self, value):
            self.heard.append(value)
        def all_heard(self):
            return sorted(self.heard)
        def process(self):
            return os.getpid()
        def plus(self, number):
            return number + self.number
        async def ask(self, others):
            return [await other.plus.remote(self.number) for other in others]
        def look_up(self, name):
            return pa.get(pa.get_actor(name).plus.remote(self.number))

    def eventually(look):
        deadline = time.monotonic() + 30
        while True:
            try:
                return look()
            except pa.ActorUnavailable:  # until the cluster has noticed
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def until_heard(actors, values):
        deadline = time.monotonic() + 30
        while (heard := [pa.get(one.all_heard.remote()) for one in actors]) != [values] * len(actors):
            assert time.monotonic() < deadline, heard
            time.sleep(0.05)
        return True

    def fate(actor):
        try:
            return f"answered {pa.get(actor.plus.remote(1), timeout=30)}"
        except pa.NodeDown:
            return "its node is down"

    def main():
        overlay, routing = sys.argv[1:]
        with pa.init(workers=5, overlay=overlay, routing=routing, hosts_actors=True) as session:
            told = {"overlay": {row["overlay"] for row in pa.nodes()} == {overlay}}
            fixed = [Member.remote(number) for number in range(6)]
            moving = Member.options(max_restarts=-1, name="moving").remote(100)
            places = pa.get([one.process.remote() for one in fixed])
            told["places"] = len(set(places))
            told["asked"] = pa.get([one.ask.remote(fixed) for one in fixed])
            told["named"] = pa.get([one.look_up.remote("moving") for one in fixed])

            for number in range(10):
                pa.broadcast("news", number)
            told["heard"] = until_heard(fixed, list(range(10)))

            doomed = pa.get(moving.process.remote())
            if doomed == os.getpid():
                doomed = next(pid for pid in places if pid != doomed)
            lost = places.index(doomed)
            os.kill(doomed, signal.SIGKILL)
            told["lost"] = eventually(lambda: fate(fixed[lost]))
            told["back"] = eventually(lambda: pa.get(moving.plus.remote(1), timeout=30))
            told["elsewhere"] = pa.get(moving.process.remote()) != doomed
            rest = [one for index, one in enumerate(fixed) if index != lost]
            told["others"] = [len(pa.get(one.ask.remote(rest))) for one in rest]
            states = lambda: sorted(row["state"] for row in pa.nodes())
            deadline = time.monotonic() + 30
            while states() != ["down", *5 * ["up"]] and time.monotonic() < deadline:
                time.sleep(0.05)
            told["states"] = states()
        print(json.dumps(told))

    if __name__ == "__main__":
        main()
"""

EXPECTED: Final = {
    "overlay": True,
    "places": 6,
    "asked": [[one + other for other in range(6)] for one in range(6)],
    "named": [100 + one for one in range(6)],
    "heard": True,
    "lost": "its node is down",
    "back": 101,
    "elsewhere": True,
    "others": [5, 5, 5, 5, 5],
    "states": ["down", "up", "up", "up", "up", "up"],
}


def marked(name: str) -> object:
    return pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("overlay", [marked(name) for name in [*OVERLAYS, "ring:Ring"]])
@pytest.mark.parametrize("routing", ["auto", pytest.param("relay", marks=pytest.mark.slow)])
def test_the_same_program_has_the_same_results_over_every_overlay(
    programs: Programs, overlay: str, routing: str
) -> None:
    output = programs.run(PROGRAM, overlay, routing, timeout_s=110.0, PYTHONPATH=PATH)

    assert json.loads(output.splitlines()[-1]) == EXPECTED
