"""A process that is one node of an experiment: joins, says where it listens, and goes when standard input ends."""

from __future__ import annotations

import json
import os
import sys

import partisan_actors as pa

__all__ = ["main"]


def main() -> None:
    """Be the node that the JSON object on the first line of standard input describes."""
    settings = json.loads(sys.stdin.readline())
    session = pa.init(hosts_actors=True, workers=0, **settings)
    sys.stdout.write(json.dumps({"ok": session.address}) + "\n")
    sys.stdout.flush()
    while sys.stdin.readline():
        pass
    os._exit(0)  # whoever started this process is gone, and nothing here is worth keeping


if __name__ == "__main__":
    main()
