"""Everything runs unchanged over an overlay of your own: the one of ring.py, beside this file."""

from __future__ import annotations

import itertools
import time

import partisan_actors as pa


@pa.actor(placement="spread")
class Relative:
    """Knows the actor it was told of, and calls it over whatever lies between them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.next: pa.ActorHandle | None = None

    def meet(self, other: pa.ActorHandle) -> None:
        self.next = other

    def whisper(self, names: list[str]) -> list[str]:
        heard = [*names, self.name]
        return pa.get(self.next.whisper.remote(heard)) if self.next is not None else heard


def main() -> None:
    # The class itself would do as well: overlay=Ring. Calls go over the ring alone, hop by hop.
    with pa.init(workers=6, overlay="ring:Ring", overlay_options={"gossip_period_s": 0.5}, routing="relay"):
        names = ["ann", "bob", "cid", "dot", "eve", "fay"]
        relatives = [Relative.remote(name) for name in names]
        pa.get([one.meet.remote(two) for one, two in itertools.pairwise(relatives)])
        print("whispered:", *pa.get(relatives[0].whisper.remote([])))

        # Seven nodes in a ring: one before, one after, and two across, as soon as everybody knows everybody.
        deadline = time.monotonic() + 10
        while any(len(row["neighbours"]) != 4 for row in pa.nodes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        print("neighbours of each:", *(len(row["neighbours"]) for row in pa.nodes()))


if __name__ == "__main__":
    main()
