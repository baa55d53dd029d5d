"""The process in which one entrant performs: it says when it is up, then does one piece of work for each line it reads.

Run as ``python -m partisan_actors.cli.bench.frameworks.stage NAME``. Both directions are one JSON object a line; it
ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import sys
from typing import IO, Any

from partisan_actors.cli.bench.frameworks.entrants import ENTRANTS
from partisan_actors.cli.bench.frameworks.work import piece

__all__ = ["perform"]


def perform(name: str, requests: IO[str], answers: IO[str]) -> None:
    """Start the entrant, answer until there are no more requests, and stop it."""
    entrant = ENTRANTS[name].load()
    entrant.start()
    _say(answers, {"up": True})
    try:
        for line in requests:
            _say(answers, _answered(entrant, json.loads(line)))
    finally:
        entrant.stop()


def _answered(entrant: Any, request: dict[str, Any]) -> dict[str, Any]:
    match request["do"]:
        case "describe":
            return {"version": entrant.version(), "offers": [each.name for each in entrant.offers()]}
        case "settle":
            entrant.settle()
            return {}
        case name:
            try:
                return {"figure": entrant.measure(piece(name), request["seconds"])}
            except Exception as error:  # noqa: BLE001  # whatever a framework raises, the other rows are still to come
                return {"error": f"{type(error).__name__}: {error}"}


def _say(answers: IO[str], value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    # What frameworks print must not come between the answers.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    perform(sys.argv[1], sys.stdin, channel)
