"""A node is killed: what may be restarted comes back on another node, the rest is gone, and calls say which."""

from __future__ import annotations

import os
import signal

import partisan_actors as pa


@pa.actor
class Visits:
    """Counts in memory. What must outlive its node has to be kept elsewhere: a restart begins with the constructor."""

    def __init__(self) -> None:
        self.count = 0

    def visit(self) -> int:
        self.count += 1
        return self.count

    def process(self) -> int:
        return os.getpid()


def visit(visits: pa.ActorHandle[Visits]) -> int:
    """One visit. A call that was on its way when the node died may have run or not: here, once too often is fine."""
    while True:
        try:
            return pa.get(visits.visit.remote())
        except (pa.NodeError, pa.ActorUnavailable) as error:
            print("lost a call:", type(error).__name__)


def main() -> None:
    with pa.init(workers=3):
        # Two actors on one node: one that may be restarted any number of times, and one that may not.
        (node, *_) = [row for row in pa.nodes() if not row["is_me"]]
        there = pa.NodeAffinity(node["name"], soft=True)
        restarted = Visits.options(max_restarts=-1, placement=there).remote()
        mortal = Visits.options(placement=there).remote()
        print("visits:", visit(restarted), visit(restarted), "and", visit(mortal))

        os.kill(node["pid"], signal.SIGKILL)
        print("killed the node that both were on")

        # Calls wait until it is up again, on another node. Its memory is gone, so it counts from one.
        print("visits, after a restart:", visit(restarted))
        print("on another node:", pa.get(restarted.process.remote()) != node["pid"])

        try:
            pa.get(mortal.visit.remote())
        except (pa.NodeDown, pa.ActorStopped) as error:
            print("the other one is gone:", type(error).__name__)


if __name__ == "__main__":
    main()
