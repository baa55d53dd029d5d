"""Makes the pictures of docs/dashboard.md from a real cluster, with Chromium: ``python -m tests.dashboard_figures``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import sync_playwright

from tests.integration.programs import Programs
from tests.integration.shells import Shells

FIGURES: Final = Path(__file__).resolve().parents[1] / "docs" / "figures"
SIZE: Final = {"width": 1180, "height": 700}
WORK: Final = """
    import asyncio, random, sys, time
    import partisan_actors as pa

    @pa.actor(max_restarts=3)
    class Account:
        def __init__(self):
            self.balance = 100

        async def change(self, amount):
            await asyncio.sleep(random.random() / 200)
            if self.balance + amount < 0:
                raise ValueError("not enough money")
            self.balance += amount
            return self.balance

    @pa.actor
    class Bank:
        def __init__(self, accounts):
            self.accounts = accounts

        async def pay(self, giver, taker, amount):
            await self.accounts[giver].change.remote(-amount)
            return await self.accounts[taker].change.remote(amount)

    @pa.actor
    class Auditor:
        def check(self, numbers):
            time.sleep(random.random() / 100)
            return sum(numbers)

    with pa.init(sys.argv[1], tracing=True, name="program"):
        accounts = [Account.options(name=f"account-{i}").remote() for i in range(40)]
        banks = [Bank.remote(accounts) for _ in range(3)]
        auditors = [Auditor.remote() for _ in range(4)]
        pa.get([each.change.remote(0) for each in accounts])
        print("made", flush=True)
        while True:
            refs = [random.choice(banks).pay.remote(random.randrange(40), random.randrange(40), random.randrange(60))
                    for _ in range(4)]
            refs += [each.check.remote(list(range(10))) for each in auditors]
            for ref in refs:
                try:
                    ref.result(60)
                except ValueError:
                    pass
            time.sleep(0.1)
"""


def main() -> None:
    """Start a cluster, look at it, and end it."""
    folder = Path(tempfile.mkdtemp())
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with Programs(folder) as programs, sync_playwright() as started:
        shells = Shells(programs, folder)
        sparse = ("--overlay-option", "active_max=3", "--overlay-option", "active_min=2")
        options = ("--nodes", "4", "--name", "node", "--cluster", "bank", "--tracing", "--dashboard", "0", *sparse)
        nodes, address = shells.start(*options)
        url = nodes.wait_for("dashboard    http").split()[-1]
        more = [
            shells.start("--nodes", "4", "--name", name, "--join", address, "--tracing")[0] for name in ("red", "blue")
        ]
        worker = shells.script(WORK, address)
        worker.wait_for("made")
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        look_at(browser, url)
        browser.close()
        worker.process.kill()
        for each in (*more, nodes):
            each.interrupt()
            each.wait()


def look_at(browser: Any, url: str) -> None:
    """Open the pages, and keep what is to be seen."""
    page = browser.new_context(viewport=SIZE, color_scheme="light").new_page()
    page.goto(url)
    page.get_by_text("Busiest methods").wait_for()
    page.wait_for_timeout(40_000)  # lines of the last minutes need some
    keep(page, "cluster")
    page.goto(f"{url}#/methods?sort=-run_p95_s")
    page.get_by_role("button", name="pay").wait_for()
    page.wait_for_timeout(5_000)
    keep(page, "methods")
    page.goto(f"{url}#/traces")
    page.get_by_role("link", name="Bank/pay").first.click()
    page.locator(".waterfall .name").nth(2).click()
    keep(page, "trace")
    page.goto(f"{url}#/nodes/node")
    page.get_by_role("button", name="Profile").click()
    page.get_by_role("button", name="Record").click()
    page.get_by_role("button", name="MainThread").wait_for()
    page.get_by_role("button", name="all threads").hover()
    keep(page, "profile")
    dark = browser.new_context(viewport=SIZE, color_scheme="dark").new_page()
    dark.goto(f"{url}#/overlay")
    dark.get_by_role("button", name="Broadcast tree").click()
    dark.get_by_role("button", name="red-w1").first.click()
    dark.wait_for_timeout(12_000)  # until the nodes stand still
    dark.get_by_role("button", name="Fit").click()
    dark.wait_for_timeout(500)
    keep(dark, "overlay")
    page.goto(f"{url}#/overlay")
    page.get_by_role("button", name="Past").click()
    page.get_by_text("node blue has joined").first.wait_for()
    page.get_by_role("listitem").filter(has_text="node blue has joined").get_by_role("button").click()
    page.wait_for_timeout(8_000)
    keep(page, "past")


def keep(page: Any, name: str) -> None:
    """Write what is to be seen into the folder of figures."""
    page.screenshot(path=FIGURES / f"dashboard-{name}.png")


if __name__ == "__main__":
    main()
