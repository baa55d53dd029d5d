"""A task is a function that runs somewhere in the cluster: count primes on all cores, without a pool to look after."""

from __future__ import annotations

import partisan_actors as pa

LIMIT = 40_000
STEP = 5_000


@pa.task
def primes(first: int, limit: int) -> list[int]:
    return [
        number
        for number in range(max(first, 2), limit)
        if all(number % each for each in range(2, int(number**0.5) + 1))
    ]


@pa.task
def total(parts: list[list[int]], weights: dict[str, int]) -> int:
    return sum(map(len, parts)) * weights["one"]


def main() -> None:
    with pa.init(workers=2):
        # Each call is a task of its own; the nodes with room take them.
        parts = [primes.remote(first, first + STEP) for first in range(0, LIMIT, STEP)]

        # `wait` gives what is ready first, in case there is something to do with it.
        ready, rest = pa.wait(parts, num_returns=1)
        print(len(ready), "part is ready,", len(rest), "are not waited for yet")
        print("primes below", LIMIT, "=", sum(len(part) for part in pa.get(parts)))

        # `put` stores a value once; passing its reference to many tasks sends it to each node at most once.
        weights = pa.put({"one": 1})
        print("the same, summed by a task:", pa.get(total.remote(pa.get(parts), weights)))

        # What needs more than any node has is refused, with the reason.
        try:
            pa.get(primes.options(num_cpus=1000).remote(0, 10))
        except pa.Unplaceable as error:
            print("refused:", error)


if __name__ == "__main__":
    main()
