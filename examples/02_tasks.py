"""A task is a function that runs somewhere in the cluster: count primes on all cores, without a pool to look after."""

from __future__ import annotations

from itertools import pairwise

import partisan_actors as pa

LIMIT = 40_000
STEP = 5_000


@pa.task
def primes(first: int, limit: int) -> list[int]:
    numbers = range(max(first, 2), limit)
    return [number for number in numbers if all(number % each for each in range(2, int(number**0.5) + 1))]


@pa.task
def longest_gap(parts: list[list[int]]) -> tuple[int, int]:
    """The largest distance between two neighbours, and where it begins."""
    numbers = [number for part in parts for number in part]
    return max((after - before, before) for before, after in pairwise(numbers))


def main() -> None:
    with pa.init(workers=2):
        # Each call is a task of its own; the nodes with room take them.
        parts = [primes.remote(first, first + STEP) for first in range(0, LIMIT, STEP)]

        # `wait` gives what is ready first, in case there is something to do with it.
        ready, rest = pa.wait(parts, num_returns=1)
        print(len(ready), "part is ready,", len(rest), "are not waited for yet")
        print("primes below", LIMIT, "=", sum(len(part) for part in pa.get(parts)))

        # `put` stores a value once. Given its reference, any number of tasks get the value, sent once to each node.
        found = pa.put(pa.get(parts))
        print("longest gap, and where it begins:", pa.get(longest_gap.remote(found)))

        # What needs more than any node has is refused, with the reason.
        try:
            pa.get(primes.options(num_cpus=1000).remote(0, 10))
        except pa.Unplaceable as error:
            print("refused:", error)


if __name__ == "__main__":
    main()
