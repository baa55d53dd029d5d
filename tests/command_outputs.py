"""Makes what docs/reference/looking.md shows, on a cluster with something in it: ``-m tests.command_outputs``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.consoles import commands_of, refreshed
from tests.follow_a_message import printed, story
from tests.integration.programs import ROOT, wait_until
from tests.integration.shells import Shells

PAGE: Final = ROOT / "docs" / "reference" / "looking.md"
SHAPES: Final = ROOT / "tests" / "json_of_commands.json"
LINES_MAX: Final = 14

# What the program of the tutorial has none of: a deadlock, an object that others hold, and a letter to nobody.
MORE: Final = """
    import sys
    import partisan_actors as pa

    @pa.actor
    class Twin:
        def meet(self, other):
            self.other = other

        def ask(self):
            return pa.get(self.other.ask.remote())

    @pa.actor
    class Keeper:
        def keep(self, refs):
            self.refs = refs

    with pa.init(sys.argv[1], name="more", tracing="hops"):
        first, second, gone = (Twin.options(scheduling_strategy=pa.NodeAffinity("bank")).remote() for _ in range(3))
        keeper = Keeper.options(name="keeper", scheduling_strategy=pa.NodeAffinity("vault")).remote()
        plans = pa.put(bytes(3 << 20))
        pa.get([first.meet.remote(second), second.meet.remote(first), keeper.keep.remote([plans]), gone.meet.remote(0)])
        pa.kill(gone)
        gone.meet.tell(1)
        ring = first.ask.remote()
        print("ready", flush=True)
        sys.stdin.readline()
"""


@contextmanager
def full_story(folder: Path) -> Iterator[tuple[Shells, str]]:
    """The cluster of the tutorial with that beside it, once all of it can be seen; and a trace of it."""
    with story(folder) as told:
        shells = told.shells
        address = shells.facts("nodes", "shop")["nodes"][0]["addresses"][0]
        script = shells.script(MORE, address)
        script.wait_for("ready")
        wait_until(lambda: _is_all_there(shells), "the deadlock, the object and the letter are seen")
        yield shells, told.tea


def _is_all_there(shells: Shells) -> bool:
    held = [row["held_by"] for row in shells.facts("objects")["objects"]]
    return (
        bool(shells.facts("deadlocks")["deadlocks"])
        and ["vault"] in held
        and shells.facts("dead-letters")["count"] > 0
        and not any(row["state"] == "starting" for row in shells.facts("actors")["actors"])
    )


def shapes(shells: Shells, trace: str) -> dict[str, Any]:
    """By command of the page, the keys of its JSON, and those of the rows in that."""
    found = {}
    for arguments in [*commands_of(PAGE), ["timeline"]]:
        named = [*arguments[:2], trace] if arguments[:2] == ["traces", "show"] else arguments
        result = shells.partisan(*named, "--json")
        assert result.returncode == 0, result.stderr
        is_lines = arguments[0] in ("events", "logs")  # an object on each
        found[" ".join(arguments[:2]) if arguments[0] in ("actors", "traces") else arguments[0]] = shape(
            json.loads(result.stdout.splitlines()[0] if is_lines else result.stdout)
        )
    return found


def shape(document: Any) -> Any:
    """The keys of an object, with those of the rows in its lists."""
    return {
        key: sorted(value[0]) if isinstance(value, list) and value and isinstance(value[0], dict) else ""
        for key, value in sorted(document.items())
    }


def main() -> None:
    """Take the outputs anew."""
    with full_story(Path(tempfile.mkdtemp())) as (shells, trace):
        SHAPES.write_text(json.dumps(shapes(shells, trace), indent=1) + "\n", encoding="utf-8")
        ids = {"traces show": trace[:8]}
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(refreshed(text, lambda line: printed(shells, line), ids, LINES_MAX), encoding="utf-8")


if __name__ == "__main__":
    main()
