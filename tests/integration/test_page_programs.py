"""What readers copy does what its page says: the first examples, and blocks of pages that need little else."""

from __future__ import annotations

import json
from typing import Final

import pytest

from tests.house.test_page_programs import blocks_of
from tests.integration.programs import ROOT, Programs

# Runs each block in a module of its own: what stands before it, the block, and what must hold afterwards.
READER: Final = """
import json, sys
import partisan_actors as pa

init = pa.init

if __name__ == "__main__":
    settings, cells = json.loads(sys.argv[1])
    for name, sources in cells:
        with init(**settings):
            names = {"__name__": "page", "pa": pa}
            for source in sources:
                exec(source, names)
        print(f"{name} holds", flush=True)
"""
SETTINGS: Final = {"workers": 1, "delivery": {"causal_labels": ["orders"]}, "channels": {"telemetry": 2}}
WORKER: Final = "@pa.actor\nclass Worker:\n    def double(self, value):\n        return 2 * value\n"
METER: Final = """
@pa.actor
class Meter:
    async def report(self, numbers):
        pass
handle, numbers = Meter.remote(), [1]
"""
WITHIN: Final = "pa.init = lambda **settings: None\n"  # it runs within a session already, that has these settings
# Page, which of its blocks, what stands before, what must hold afterwards.
CELLS: Final = (
    ("acknowledgement", 0, WITHIN, "assert pa.get([booked, total], timeout=60) == [None, None]"),
    ("broadcast", 0, "", "pa.get(Cache.remote().changed.remote(('pear', 1)), timeout=60)"),
    ("channels", 0, WITHIN + METER, "pa.get(handle.report.options(channel='telemetry').remote(numbers), timeout=60)"),
    ("failures", 0, "", "cancel(); pa.get(Watcher.remote().changed.remote(None), timeout=60)"),
    ("logging", 1, "import logging", "assert handler.filters and handler.formatter"),
    ("reference/metrics", 0, "", "assert pa.get(Shop.remote().order.remote(3), timeout=60) is None"),
    ("isolation", 0, "", "assert pa.get(parser.parse.remote(b'x'), timeout=60) is None"),
    ("utilities", 0, WORKER, "assert list(pool.map(lambda w, v: w.double.remote(v), [1, 2])) == [2, 4]"),
)


def test_the_first_examples_of_all_print_what_their_comments_say(programs: Programs) -> None:
    (of_readme,) = blocks_of(ROOT / "README.md")
    (of_manual,) = blocks_of(ROOT / "docs" / "index.md")

    assert "# 15" in of_readme and programs.run(of_readme).splitlines() == ["15", "[0, 1, 4, 9, 16]"]
    assert "# hello world" in of_manual and programs.run(of_manual).strip() == "hello world"


@pytest.mark.slow
def test_blocks_of_pages_run_as_they_stand(programs: Programs) -> None:
    """Others are parts of programs: `tests/house/test_page_programs.py` looks at their names."""
    cells = [
        (page, [before, blocks_of(ROOT / "docs" / f"{page}.md")[number], after])
        for page, number, before, after in CELLS
    ]

    output = programs.run(READER, json.dumps([SETTINGS, cells]))

    assert [line.removesuffix(" holds") for line in output.splitlines() if line.endswith(" holds")] == [
        page for page, *_ in CELLS
    ]
