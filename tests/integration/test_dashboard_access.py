"""The dashboard's pages for people who do not see them, or see no colours: axe looks at each, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.programs import Programs
from tests.integration.shells import Shells
from tests.integration.test_dashboard_pages import CHROMIUM, SOON_MS, WORK, Site, playwright

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing: pip install -e '.[browser]'")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
    pytest.mark.xdist_group("chromium"),
]

# Each view, and what it shows once it has been told something.
VIEWS = {
    "": "Busiest methods",
    "nodes": "Dead letters",
    "nodes/n": "incarnation",
    "overlay": "active links, in one part",
    "actors": "counter-2",
    "actors?q=counter-1": "1 actor",
    "tree": "counter-2",
    "methods": "waited in the mailbox",
    "channels": "broadcast",
    "traces": "Counter/add",
    "logs": "records",
    "events": "node.started",
    "more/tasks": "Nothing waits",
    "more/groups": "There are no placement groups",
    "more/deadlocks": "No calls wait",
    "more/objects": "Copies on",
    "more/dead-letters": "kept",
    "more/broadcasts": "Broadcasts by the links",
    "more/faults": "No node takes part",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("dashboard")
    with Programs(folder) as programs:
        shells = Shells(programs, folder)
        nodes, address = shells.start("--nodes", "2", "--name", "n", "--tracing", "--dashboard", "0")
        url = nodes.wait_for("dashboard    http").split()[-1]
        worker = shells.script(WORK, address)
        worker.wait_for("made")
        yield Site(shells, url, nodes)
        worker.process.kill()
        nodes.interrupt()
        nodes.wait()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_anything_that_axe_complains_of(site: Site, scheme: str) -> None:
    complaints: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1100, "height": 800}, color_scheme=scheme).new_page()
        page.set_default_timeout(SOON_MS)
        for view, shows in VIEWS.items():
            page.goto("about:blank")
            page.goto(f"{site.url}#/{view}")
            page.locator("#main").get_by_text(shows).locator("visible=true").first.wait_for()
            complaints += _complaints(page, view)
        page.goto(f"{site.url}#/actors?q=counter-1")
        page.get_by_role("link", name="Counter").click()
        page.get_by_text("Methods of Counter").wait_for()
        complaints += _complaints(page, "an actor")
        page.get_by_role("button", name="Kill").click()
        page.get_by_role("button", name="Kill it").wait_for()
        complaints += _complaints(page, "a confirmation")
        page.keyboard.press("Escape")
        page.goto(f"{site.url}#/traces")
        page.get_by_role("link", name="Counter/add").first.click()
        page.locator(".waterfall .name").first.wait_for()
        complaints += _complaints(page, "a trace")
        browser.close()

    assert complaints == []


def _complaints(page: Any, view: str) -> list[str]:
    found = axe.Axe().run(page).response["violations"]
    return [f"{view or 'cluster'}: {each['id']} at {each['nodes'][0]['target']}: {each['help']}" for each in found]
