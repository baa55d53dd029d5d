"""Makes what docs/follow-a-message.md shows, from its own program: ``python -m tests.follow_a_message``."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from tests.consoles import refreshed
from tests.integration.programs import ROOT, Programs, wait_until
from tests.integration.shells import Shells

PAGE: Final = ROOT / "docs" / "follow-a-message.md"
FIGURES: Final = ROOT / "docs" / "figures"
# Tracebacks have the paths of this machine in them.
WITHOUT: Final = """path => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(path, "");
}"""
SIZE: Final = {"width": 1180, "height": 620}


def program() -> str:
    """The program of the page."""
    found = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@dataclass(frozen=True)
class Story:
    """The cluster of the page while Cid waits for his gold."""

    shells: Shells
    dashboard: str
    tea: str
    castle: str


@contextmanager
def story(folder: Path, *options: str) -> Iterator[Story]:
    """Start the three nodes and the program, and wait until the first two messages are traced."""
    # There is no collector here, and nobody is to be told of that again and again.
    with patch.dict(os.environ, {"OTEL_TRACES_EXPORTER": "none"}), Programs(folder) as programs:
        shells = Shells(programs, folder)
        shop, address = shells.start("--name", "shop", "--cluster", "tour", "--tracing", "hops", *options)
        for name in ("bank", "vault"):
            shells.start("--name", name, "--join", address, "--tracing", "hops")
        script = shells.script(program().replace('"auto"', repr(address)))
        script.wait_for("Ada paid 3")
        traces = wait_until(lambda: _traces(shells), "two messages are traced, and the third has come to the ledger")
        dashboard = shop.wait_for("dashboard    http").split()[-1] if "--dashboard" in options else ""
        yield Story(shells, dashboard, *traces)


def _traces(shells: Shells) -> tuple[str, str] | None:
    found = [row for row in shells.facts("traces", "ls")["traces"] if "buy" in row["root_name"]]
    tea = [row["trace_id"] for row in found if not row["errors"] and len(row["nodes"]) == 4]
    castle = [row["trace_id"] for row in found if row["errors"]]
    result = shells.partisan("stack", "ledger", "--json")
    is_writing = result.returncode == 0 and json.loads(result.stdout).get("threads")
    return (tea[0], castle[0]) if tea and castle and is_writing else None


def main() -> None:
    """Take the outputs and the pictures anew."""
    from playwright.sync_api import sync_playwright

    folder = Path(tempfile.mkdtemp())
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with story(folder, "--dashboard", "0") as told, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        look_at(browser, told)
        browser.close()
        ids = {"traces show": told.tea[:8], "logs --trace": told.tea, "traces export": told.tea}
        text = refreshed(PAGE.read_text(encoding="utf-8"), lambda line: printed(told.shells, line), ids)
        PAGE.write_text(text, encoding="utf-8")
        (ROOT / "tea.json").unlink()


def printed(shells: Shells, arguments: list[str]) -> str:
    """What a command prints, without where things are on this machine."""
    result = shells.partisan(*arguments)
    library = os.path.dirname(os.__file__)
    text = result.stdout.replace(f"{ROOT}{os.sep}", "").replace(library, f"lib/{os.path.basename(library)}")
    return text.replace(str(shells.run_dir.parent), "/tmp").replace(str(Path.home()), "~")


def look_at(browser: Any, told: Story) -> None:
    """Open the pages, and keep what is to be seen."""
    page = browser.new_context(viewport=SIZE, color_scheme="light").new_page()
    page.goto(f"{told.dashboard}#/traces/{told.tea}")
    page.locator(".waterfall .name").nth(4).click()
    keep(page, "trace")
    page.goto(f"{told.dashboard}#/traces/{told.castle}")
    page.locator(".waterfall .name").nth(3).click()
    keep(page, "error")
    page.goto(f"{told.dashboard}#/nodes/vault")
    page.get_by_text("Ledger").first.wait_for()
    keep(page, "node")
    page.goto(f"{told.dashboard}#/overlay")
    page.get_by_role("button", name="Fit").wait_for()
    page.wait_for_timeout(8_000)  # until the nodes stand still
    page.get_by_role("button", name="Fit").click()
    keep(page, "overlay")


def keep(page: Any, name: str) -> None:
    """Write what is to be seen into the folder of figures."""
    page.wait_for_timeout(1_000)
    page.evaluate(WITHOUT, f"{ROOT}{os.sep}")
    page.screenshot(path=FIGURES / f"follow-{name}.png")


if __name__ == "__main__":
    main()
