"""The dashboard's pages in a real Chromium, over a real cluster: what is seen, pressed, and refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.programs import Programs
from tests.integration.shells import Shells

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
    pytest.mark.xdist_group("chromium"),
]

SOON_MS = 90_000
WORK = """
    import sys, time
    import partisan_actors as pa

    @pa.actor(max_restarts=2)
    class Counter:
        def add(self, number):
            return number

    @pa.actor
    class Fails:
        def fail(self):
            raise ValueError("<b>no</b>")

    @pa.actor
    class Kept:
        def keep(self, number):
            print(f"kept {number}", flush=True)

        def inspect_state(self):
            return {"drawers": [{"labelled": "<b>bold</b>"}]}

    with pa.init(sys.argv[1], tracing=True):
        gone, kept = Kept.options(name="gone").remote(), Kept.options(name="kept").remote()
        pa.get([gone.keep.remote(0), kept.keep.remote(0)])
        pa.kill(gone)
        gone.keep.tell(77)
        counters = [Counter.options(name=f"counter-{i}").remote() for i in range(3)]
        fails = Fails.options(name="<img src=x onerror=alert(1)>").remote()
        print("made", flush=True)
        while True:
            for each in counters:
                each.add.remote(1).result(60)
            try:
                fails.fail.remote().result(60)
            except ValueError:
                pass
            time.sleep(0.2)
"""


class Site:
    """A running cluster with a dashboard, and the shells that it runs in."""

    def __init__(self, shells: Shells, url: str, nodes: Any) -> None:
        self.shells = shells
        self.url = url
        self.nodes = nodes


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("dashboard")
    with Programs(folder) as programs:
        shells = Shells(programs, folder)
        nodes, address = shells.start("--nodes", "3", "--name", "n", "--tracing", "--dashboard", "0", "--allow-faults")
        url = nodes.wait_for("dashboard    http").split()[-1]
        worker = shells.script(WORK, address)
        worker.wait_for("made")
        yield Site(shells, url, nodes)
        worker.process.kill()
        nodes.interrupt()
        nodes.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, site: Site) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1360, "height": 820})
    opened = context.new_page()
    opened.set_default_timeout(SOON_MS)
    opened.complaints = []
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)
    opened.on("request", lambda asked: _only_ours(opened, asked.url, site.url))
    opened.goto(site.url)
    yield opened
    complaints = opened.complaints
    context.close()
    assert complaints == []


def _only_ours(page: Any, asked: str, url: str) -> None:
    if not asked.startswith((url, "data:")):
        page.complaints.append(f"something from elsewhere was asked for: {asked}")


def go(page: Any, site: Site, view: str) -> None:
    page.goto(f"{site.url}#/{view}")


def painted_at_least(page: Any, attribute: str, digit: str) -> None:
    """Wait for what the map says of itself: a number that is that digit, or has more of them."""
    wanted = re.compile(f"^({digit}|[1-9][0-9]+)$")
    playwright.expect(page.locator("canvas")).to_have_attribute(attribute, wanted, timeout=SOON_MS)


def test_every_view_shows_what_the_cluster_does_and_asks_nobody_else(page: Any, site: Site) -> None:
    page.get_by_text("Calls a second").wait_for()
    playwright.expect(page.locator(".figure .value").first).to_have_text("4", timeout=SOON_MS)
    go(page, site, "nodes")
    page.get_by_role("link", name="n-w1").first.wait_for()
    go(page, site, "actors")
    page.get_by_role("cell", name="counter-2").wait_for()
    go(page, site, "methods")
    page.get_by_role("button", name="add").click()
    page.get_by_role("dialog").get_by_text("Ran: p50").wait_for()
    page.keyboard.press("Escape")
    go(page, site, "channels")
    page.get_by_role("cell", name="calls").first.wait_for()
    go(page, site, "logs")
    page.get_by_role("log").wait_for()
    for part in ("tasks", "groups", "deadlocks", "objects"):
        go(page, site, f"more/{part}")
        page.locator(".empty").wait_for()


def test_names_of_a_cluster_are_text_and_never_markup(page: Any, site: Site) -> None:
    go(page, site, "actors")

    page.get_by_role("cell", name="<img src=x onerror=alert(1)>").wait_for()
    assert page.locator("main img").count() == 0


def test_tables_are_sorted_filtered_and_paged_and_the_address_keeps_it(page: Any, site: Site) -> None:
    go(page, site, "actors")
    page.get_by_role("button", name="Calls", exact=True).click()
    page.locator("th[aria-sort]", has_text="Calls").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("counter-1")
    page.get_by_text("1 actor", exact=True).wait_for()

    address = page.url
    page.goto("about:blank")
    page.goto(address)

    page.get_by_text("1 actor", exact=True).wait_for()
    assert page.locator("#filter").input_value() == "counter-1"


def test_every_page_of_a_long_table_is_reached_forwards_and_backwards(page: Any, site: Site) -> None:
    known: list[Any] = []

    def long(route: Any) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        offset, limit = int(asked.get("offset", ["0"])[0]), int(asked["limit"][0])
        answer = route.fetch().json()
        known.extend(answer["rows"][:1])  # of the first page; beyond it there are none
        rows = [{**known[0], "name": f"long-{number}"} for number in range(offset, min(offset + limit, 350))]
        route.fulfill(json={**answer, "total": 350, "offset": offset, "rows": rows})

    page.route("**/api/v1/actors?*", long)
    go(page, site, "actors")

    for button, shown in (("Next", 100), ("Next", 200), ("Next", 300), ("Previous", 200), ("Previous", 100)):
        page.get_by_role("button", name=button, exact=True).click()
        page.get_by_text(f"{shown + 1} to {min(shown + 100, 350)} of 350").wait_for()
        page.get_by_role("cell", name=f"long-{shown}", exact=True).wait_for()
    page.unroute_all(behavior="wait")


def test_the_map_shows_nodes_links_and_who_joins_and_goes(page: Any, site: Site) -> None:
    go(page, site, "overlay")
    page.locator("canvas[data-nodes='4']").wait_for()
    assert int(page.locator("canvas").get_attribute("data-links")) >= 3
    painted = "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; return d.some(x => x); }"
    assert page.locator("canvas").evaluate(painted)

    page.get_by_label("Which links are shown").select_option("calls")
    painted_at_least(page, "data-links", "[1-9]")
    page.get_by_role("button", name="n-w1").first.click()
    page.locator(".side").get_by_text("channel calls").wait_for()
    page.get_by_role("button", name="Close").click()
    page.get_by_label("Which links are shown").select_option("")

    newcomer, _ = site.shells.start("--name", "late", "--join", _address(site))
    page.get_by_text("late is up").wait_for()
    page.get_by_role("button", name="late").first.click()
    page.locator(".side").get_by_text("hyparview").wait_for()
    newcomer.interrupt()
    newcomer.wait()
    page.get_by_text(re.compile("late (has left|is down)")).first.wait_for()


def test_the_map_can_be_used_without_a_mouse_and_without_motion(browser: Any, site: Site) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(SOON_MS)
    page.goto(f"{site.url}#/overlay")
    painted_at_least(page, "data-nodes", "[4-9]")

    page.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Close").wait_for()
    page.get_by_role("button", name="Broadcast tree").press("Enter")
    page.get_by_role("button", name="Broadcast tree", pressed=True).wait_for()
    page.locator("canvas").focus()
    page.keyboard.press("Enter")

    page.get_by_role("button", name="Drain").wait_for()
    context.close()


def test_traces_are_listed_and_one_is_a_waterfall(page: Any, site: Site) -> None:
    go(page, site, "traces")
    page.get_by_role("link", name="Counter/add").first.click()

    page.locator(".waterfall .name").nth(1).click()
    page.get_by_text("partisan.actor.id").first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as jaeger").click()
    assert '"traceID"' in Path(download.value.path()).read_text()


def test_an_actor_is_restarted_after_a_confirmation_and_not_after_cancel(page: Any, site: Site) -> None:
    go(page, site, "actors?q=counter-0")
    page.get_by_role("link", name="Counter").click()
    page.get_by_role("button", name="Restart", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    assert "0 of 2" in page.get_by_text(" of 2").text_content()

    page.get_by_role("button", name="Restart", exact=True).click()
    page.get_by_role("button", name="Restart it").click()

    page.get_by_text("1 of 2").first.wait_for()
    page.get_by_text("was made again on node").first.wait_for()
    page.get_by_role("link", name="Counter/add").first.wait_for()
    site.nodes.wait_for("audit: the dashboard")


def test_the_theme_is_kept_and_keys_lead_everywhere(page: Any, site: Site) -> None:
    page.get_by_text("Calls a second").wait_for()
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("t")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    chosen = page.evaluate("document.documentElement.dataset.theme")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == chosen

    for key, title in (("n", "Nodes"), ("o", "Overlay"), ("m", "Methods"), ("s", "Traces"), ("c", "Cluster")):
        page.keyboard.press(key)
        page.get_by_role("heading", name=title, exact=True).wait_for()


def test_a_node_that_stands_still_is_told_and_the_others_are_still_shown(page: Any, site: Site) -> None:
    stopped, _ = site.shells.start("--name", "stuck", "--join", _address(site))
    page.get_by_text("Calls a second").wait_for()
    subprocess.run(["kill", "-STOP", str(stopped.process.pid)], check=True)
    try:
        page.get_by_text(re.compile(r"\d of \d nodes answered. Not heard from: stuck")).wait_for()
        page.get_by_text(
            re.compile("node stuck did not answer|node stuck is suspected|node stuck is down")
        ).first.wait_for()
    finally:
        subprocess.run(["kill", "-CONT", str(stopped.process.pid)], check=True)
        stopped.interrupt()
        stopped.wait()


def test_a_token_is_asked_for_and_read_only_has_no_buttons(browser: Any, site: Site) -> None:
    token = "a-token-of-some-length"
    program = site.shells.command(
        "dashboard", "--port", "0", "--token", token, "--read-only", "--address", _address(site)
    )
    url = program.wait_for("dashboard at").split()[-1].partition("?")[0]
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(SOON_MS)
    try:
        page.goto(url)
        page.get_by_label("Token").fill("wrong-wrong-wrong-wrong")
        page.keyboard.press("Enter")
        page.get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
        page.get_by_text("Calls a second").wait_for()
        assert token not in page.url
        page.goto(f"{url}#/nodes/n-w1")
        page.get_by_text("incarnation").wait_for()
        assert page.get_by_role("button", name="Stop").count() == 0
    finally:
        context.close()
        program.interrupt()
        program.wait()


def _address(site: Site) -> str:
    return str(site.nodes.wait_for("is up at").partition("is up at")[2].split()[0])


def test_events_come_by_themselves_and_are_filtered_and_the_tree_shows_who_made_whom(page: Any, site: Site) -> None:
    go(page, site, "events?kind=node")
    page.get_by_role("cell", name="node.started").first.wait_for()
    newcomer, _ = site.shells.start("--name", "eventful", "--join", _address(site))
    page.get_by_text("node eventful has joined").first.wait_for()
    newcomer.interrupt()
    newcomer.wait()
    page.get_by_text("node eventful has left").first.wait_for()
    page.keyboard.press("/")
    page.keyboard.type("eventful has left")
    page.get_by_text("1 event", exact=True).wait_for()

    go(page, site, "tree")
    page.get_by_role("link", name="Counter counter-2").wait_for()
    page.get_by_text("restarts 0 of 2").first.wait_for()
    page.locator(".fold").first.press("Enter")
    page.get_by_role("link", name="Counter counter-2").wait_for(state="hidden")


def test_what_an_actor_runs_is_shown_and_a_setting_of_a_node_is_changed_after_a_confirmation(
    page: Any, site: Site
) -> None:
    go(page, site, "actors?q=counter-2")
    page.get_by_role("link", name="Counter").click()
    page.get_by_text("made by").wait_for()
    page.get_by_role("button", name="Stacks").click()
    page.get_by_role("dialog").get_by_text("Stacks at this moment").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Look again").click()
    page.keyboard.press("Escape")

    go(page, site, "nodes/n-w1")
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("row", name="log_level").get_by_role("button", name="Change").click()
    page.get_by_label("log_level").select_option("ERROR")
    page.get_by_role("button", name="Change it").click()
    page.get_by_role("row", name="log_level").get_by_text("ERROR").wait_for()
    page.get_by_role("row", name="log_level").get_by_text("changed while it ran").wait_for()
    page.keyboard.press("Escape")
    go(page, site, "events?kind=node")
    page.get_by_text("changed log_level of node n-w1").wait_for()


def test_a_message_that_reached_nobody_is_sent_again_to_somebody_else(page: Any, site: Site) -> None:
    go(page, site, "actors?q=kept")
    page.get_by_role("link", name="Kept").click()
    page.get_by_text("made by").wait_for()
    other = page.locator("code").first.text_content()
    page.get_by_role("button", name="State", exact=True).click()
    page.get_by_role("dialog").get_by_text("<b>bold</b>").wait_for()
    page.keyboard.press("Escape")

    go(page, site, "more/dead-letters")
    page.get_by_role("row", name="keep").get_by_role("button", name="Send again").click()
    page.get_by_label("To which actor").fill("actor:nobody~1/1")
    page.get_by_role("button", name="Send it").click()
    page.get_by_role("alert").get_by_text("no node tells of an actor").wait_for()
    page.get_by_label("To which actor").fill(other)
    page.get_by_role("button", name="Send it").click()

    page.get_by_text("Every message has reached somebody.").wait_for()
    site.nodes.wait_for("kept 77")
    page.complaints.clear()  # Chromium tells of the refusal, which was wanted


def test_a_profile_is_taken_and_drawn_and_looked_into_without_a_mouse(page: Any, site: Site) -> None:
    go(page, site, "nodes/n")
    page.get_by_role("button", name="Profile").click()
    page.get_by_label("For how long").select_option("2")
    page.get_by_label("Which time").select_option("samples")
    page.get_by_role("button", name="Record").click()
    page.get_by_role("button", name=re.compile("^MainThread, ")).press("Enter")

    zoomed = page.locator(".flame:focus")  # as wide as the whole now
    playwright.expect(zoomed).to_have_css("left", "0px", timeout=SOON_MS)
    playwright.expect(zoomed).to_have_text("MainThread", timeout=SOON_MS)
    assert "width: 100%" in zoomed.get_attribute("style")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")


def test_another_node_is_started_and_stopped_again(page: Any, site: Site) -> None:
    go(page, site, "nodes/n-w1")
    page.get_by_role("button", name="Start another").click()
    page.get_by_role("button", name="Start it").click()
    page.get_by_role("alert").get_by_text("partisan start").wait_for()  # a worker starts none
    page.keyboard.press("Escape")
    page.complaints.clear()

    go(page, site, "nodes/n")
    page.get_by_role("button", name="Start another").click()
    page.get_by_role("button", name="Start it").click()
    page.get_by_text("node n-w3 is up").wait_for()
    go(page, site, "nodes/n-w3")
    page.get_by_text("incarnation").wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop it").click()
    go(page, site, "events?kind=node")
    page.get_by_text("node n-w3 has left").first.wait_for()


def test_a_page_whose_session_has_ended_leads_to_the_form(browser: Any, site: Site) -> None:
    token = "a-token-of-some-length"
    program = site.shells.command("dashboard", "--port", "0", "--token", token, "--address", _address(site))
    url = program.wait_for("dashboard at").split()[-1]
    context = browser.new_context()
    page, other = context.new_page(), context.new_page()
    for each in (page, other):
        each.set_default_timeout(SOON_MS)
    try:
        page.goto(url)
        page.get_by_text("Calls a second").wait_for()
        other.goto(f"{url.partition('?')[0]}#/overlay")
        painted_at_least(other, "data-nodes", "[4-9]")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Token").wait_for()

        other.get_by_label("Token").wait_for()
    finally:
        context.close()
        program.interrupt()
        program.wait()


def test_a_fault_is_injected_after_a_confirmation_told_on_every_page_and_ended(page: Any, site: Site) -> None:
    go(page, site, "more/faults")
    page.get_by_label("Fault", exact=True).select_option("delay")
    page.get_by_label("Nodes", exact=True).fill("nobody")
    page.get_by_label("By milliseconds").fill("1")
    page.get_by_label("For seconds").fill("600")
    page.get_by_role("button", name="Inject", exact=True).click()
    page.get_by_role("button", name="Inject it").click()
    page.get_by_role("alert").get_by_text("expected one of the nodes").wait_for()
    page.complaints.clear()  # Chromium tells of the refusal
    page.keyboard.press("Escape")
    page.get_by_label("Nodes", exact=True).fill("n-w1")
    page.get_by_role("button", name="Inject", exact=True).press("Enter")
    page.get_by_role("button", name="Inject it").press("Enter")
    page.get_by_role("cell", name="senders n-w1").wait_for()

    go(page, site, "nodes")
    page.get_by_text("Faults are injected on").wait_for()
    page.get_by_role("link", name="Which?").click()
    page.get_by_role("button", name="End all").click()
    page.get_by_role("button", name="End them").click()

    page.get_by_text("No faults are injected").wait_for()
    page.get_by_text("Faults are injected on").wait_for(state="hidden")
    site.nodes.wait_for("injects a fault")


def test_the_map_goes_back_to_when_somebody_was_there_who_has_gone(page: Any, site: Site) -> None:
    guest, _ = site.shells.start("--name", "guest", "--join", _address(site))
    go(page, site, "overlay")
    page.locator(".side").get_by_role("button", name="guest", exact=True).wait_for()
    guest.interrupt()
    guest.wait()
    page.locator(".side").get_by_role("button", name="guest", exact=True).wait_for(state="hidden")

    page.get_by_role("button", name="Past").click()
    page.get_by_text("as it was").first.wait_for()
    page.locator(".side").get_by_role("listitem").filter(has_text="node guest has joined").get_by_role("button").click()
    page.locator(".side").get_by_role("button", name="guest", exact=True).wait_for()
    page.get_by_role("button", name="Live").click()
    page.locator(".side").get_by_role("button", name="guest", exact=True).wait_for(state="hidden")

    go(page, site, "events?kind=node.up")
    page.get_by_role("row").filter(has_text="node guest has joined").get_by_role("link").first.click()
    page.get_by_text("as it was").first.wait_for()
    page.locator(".side").get_by_role("button", name="guest", exact=True).wait_for()
