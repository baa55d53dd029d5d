"""A worker is killed: an actor that asked to be told is told, and so is the program, once each and in order."""

from __future__ import annotations

import os
import signal
from queue import SimpleQueue

import partisan_actors as pa


@pa.actor
class Watchman:
    """Keeps a list of the nodes that went."""

    def __init__(self) -> None:
        self.gone: list[str] = []
        pa.on_node_down(self.note)  # through the mailbox, as any other message

    def note(self, event: pa.NodeEvent) -> None:
        self.gone.append(f"{event.node}: {event.why}")

    def report(self) -> list[str]:
        return self.gone


def main() -> None:
    with pa.init(workers=2) as session:
        first, second = (row for row in pa.nodes() if not row["is_me"])
        watchman = Watchman.options(placement=pa.NodeAffinity(first["name"])).remote()
        pa.get(watchman.report.remote())

        events: SimpleQueue[pa.NodeEvent] = SimpleQueue()
        cancel = pa.on_node_down(events.put, node=second["name"])

        os.kill(second["pid"], signal.SIGKILL)
        event = events.get(timeout=10)
        print("the program:", event.node == second["name"], event.kind, "-", event.why)
        cancel()

        while not (gone := pa.get(watchman.report.remote())):
            pass
        print("the watchman:", len(gone), "node gone,", gone[0].removeprefix(second["name"]).lstrip(": "))

        # Asking after a node that is gone already is answered at once.
        pa.on_node_down(events.put, node=second["name"])
        print("asked again:", events.get(timeout=10).kind)
        print("still here:", session.node_name in [row["name"] for row in pa.nodes() if row["state"] == "up"])


if __name__ == "__main__":
    main()
