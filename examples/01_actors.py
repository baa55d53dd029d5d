"""An actor is an object on some node of the cluster: it keeps its state, and its methods are called from afar."""

from __future__ import annotations

import os

import partisan_actors as pa


@pa.actor
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.count = start

    def add(self, amount: int) -> int:
        if amount < 0:
            raise ValueError("this counter only counts up")
        self.count += amount
        return self.count

    def process(self) -> int:
        return os.getpid()


def main() -> None:
    # A cluster on this machine: two worker nodes, each a process. They end with this program.
    with pa.init(workers=2):
        counter = Counter.remote(10)

        # A call returns at once, with a reference to its result.
        result = counter.add.remote(5)
        print("10 + 5 =", pa.get(result))

        # Calls of one caller start in the order they were made, so the last of these sees all the others.
        refs = [counter.add.remote(1) for _ in range(100)]
        print("after 100 more:", pa.get(refs)[-1])

        # What a method raises is raised here, as the same class, with the remote traceback in its text.
        try:
            pa.get(counter.add.remote(-1))
        except ValueError as error:
            print("refused:", str(error).splitlines()[-1])

        # Actors are spread over the nodes, and none of them lives in this process.
        others = [Counter.options(placement="spread").remote() for _ in range(4)]
        processes = set(pa.get([other.process.remote() for other in others]))
        print("4 actors in", len(processes), "processes; one of them is this one:", os.getpid() in processes)


if __name__ == "__main__":
    main()
