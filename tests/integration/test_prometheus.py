"""A real Prometheus scrapes a real cluster, and answers questions about it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.grafana import questions
from tests.integration.programs import Programs, wait_until
from tests.integration.shells import Shells

PROMETHEUS = shutil.which("prometheus")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROMETHEUS is None, reason="prometheus, Debian's package of that name, is not installed"),
]

SCRIPT = """
    import sys
    import partisan_actors as pa

    @pa.actor
    class Shop:
        async def price(self):
            return 1

        async def fails(self):
            raise ValueError("no")

        def order(self):
            pa.metrics.Counter("shop.orders", "Orders that came in.", ("kind",)).inc(tags={"kind": "large"})

    @pa.actor
    class Gone:
        async def hello(self):
            return 1

    with pa.init(address=sys.argv[1], name="script"):
        gone = Gone.remote()
        pa.get(gone.hello.remote())
        pa.kill(gone)
        try:
            pa.get(gone.hello.remote())
        except pa.ActorStopped:
            gone.hello.tell()
        shop = Shop.remote()
        for _ in range(25):
            pa.get(shop.price.remote())
        pa.get(shop.order.remote())
        try:
            pa.get(shop.fails.remote())
        except pa.TaskFailed:
            pass
        print("ready", flush=True)
        sys.stdin.readline()
"""


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one that scrapes a cluster of two nodes and a script, twice a second."""
    folder = tmp_path_factory.mktemp("prometheus")
    with Programs(folder) as programs:
        shells = Shells(programs, folder)
        _, address = shells.start("--name", "first")
        shells.start("--name", "second", "--join", address)
        shells.script(SCRIPT, address).wait_for("ready")
        scraped, port = free_port(), free_port()
        dashboard = programs.interpreter(
            *("-m", "partisan_actors", "dashboard", "--port", str(scraped)), PARTISAN_RUN_DIR=str(shells.run_dir)
        )
        dashboard.wait_for(str(scraped))
        with _running(folder, port, scraped):
            yield f"http://127.0.0.1:{port}"


class _running:  # noqa: N801 - reads as a verb where it is used
    """A Prometheus with a configuration and data of its own."""

    def __init__(self, folder: Path, port: int, scraped: int) -> None:
        config = folder / "prometheus.yml"
        target = f"  - job_name: partisan\n    static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]\n"
        config.write_text(f"global: {{scrape_interval: 500ms}}\nscrape_configs:\n{target}")
        self._command = [
            str(PROMETHEUS),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)


def answer(prometheus: str, query: str) -> dict[tuple[str, ...], float]:
    """What Prometheus says to that: values by the labels that are left, in the order of their names."""
    address = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(address, timeout=60) as response:
            said: dict[str, Any] = json.load(response)
    except urllib.error.URLError:  # it is starting
        return {}
    assert said["status"] == "success", said
    return {
        tuple(value for _, value in sorted(each["metric"].items())): float(each["value"][1])
        for each in said["data"]["result"]
    }


def test_it_knows_every_node_and_every_call(prometheus: str) -> None:
    by_method = "sum by (partisan_actor_method) (partisan_calls_total{partisan_actor_class='Shop'})"

    wait_until(lambda: answer(prometheus, by_method).get(("price",)) == 25, "Prometheus to have scraped the calls")

    assert answer(prometheus, by_method) == {("fails",): 1, ("order",): 1, ("price",): 25}
    assert answer(prometheus, "sum by (partisan_node_name) (partisan_node_up)") == {
        ("first",): 1,
        ("second",): 1,
        ("script",): 1,
    }
    assert answer(prometheus, "sum(partisan_call_errors_total)") == {(): 1}
    assert answer(prometheus, "sum(shop_orders_total{kind='large'})") == {(): 1}


def test_it_knows_what_callers_saw_how_calls_failed_and_what_reached_nobody(prometheus: str) -> None:
    seen = "sum by (rpc_method, error_type) (rpc_client_call_duration_seconds_count{rpc_method=~'Shop/.*'})"
    dead = "sum by (partisan_actor_class, partisan_dead_letter_reason) (partisan_dead_letters_total)"
    wait_until(lambda: len(answer(prometheus, seen)) == 3, "Prometheus to have scraped what callers saw")
    wait_until(lambda: answer(prometheus, dead), "Prometheus to have scraped dead letters")

    assert answer(prometheus, seen) == {("Shop/price",): 25, ("Shop/order",): 1, ("ValueError", "Shop/fails"): 1}
    assert answer(prometheus, dead) == {("Gone", "actor ended"): 1}


def test_every_panel_of_the_grafana_dashboards_shows_something(prometheus: str) -> None:
    for question in questions("5s"):
        wait_until(lambda question=question: answer(prometheus, question), f"an answer to {question}")


def test_it_finds_quantiles_of_our_buckets(prometheus: str) -> None:
    bucket = "rpc_server_call_duration_seconds_bucket{rpc_method='Shop/price'}"

    def found() -> dict[tuple[str, ...], float]:
        return answer(prometheus, f"histogram_quantile(0.99, sum by (le) ({bucket}))")

    (seconds,) = wait_until(found, "a quantile").values()

    assert 0 < seconds <= 60
