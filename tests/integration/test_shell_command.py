"""`partisan shell` over a real cluster: programs and a prompt that call actors there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.shells import Shells, node_with_script

pytestmark = pytest.mark.slow

SCRIPT = """
    import sys
    import partisan_actors as pa

    @pa.actor
    class Shop:
        def price(self, of):
            return len(of) * 7

        def breaks(self):
            raise ValueError("no \\x1b[31mprice")

    with pa.init(sys.argv[1], name="script", namespace="market"):
        shop = Shop.options(name="shop").remote()
        pa.get(shop.price.remote(""))
        print("ready", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shells]:
    """A node, and a script whose actor is on it."""
    with node_with_script(tmp_path_factory.mktemp("shells"), SCRIPT) as shells:
        yield shells


def test_a_program_calls_actors_asks_nodes_and_runs_commands(shells: Shells) -> None:
    program = """
print("price", pa.get(actor("shop").price.remote("tea")))
print("asked", sorted(ask("inspect", "status")))
assert command("nodes first") == 0 and command("nodes nowhere") == 2
"""

    result = shells.partisan("shell", "--name", "me", "-c", program)

    assert result.returncode == 0, result.stderr
    assert "price 21" in result.stdout and "asked ['first', 'me', 'script']" in result.stdout
    assert "incarnation" in result.stdout and "nowhere" in result.stderr


def test_what_a_program_raises_is_shown_without_what_a_terminal_obeys(shells: Shells) -> None:
    failed = shells.partisan("shell", "-c", "pa.get(actor('shop').breaks.remote())")
    broken = shells.partisan("shell", "-c", "def (")
    unknown = shells.partisan("shell", "-c", "actor('nobody')")
    exited = shells.partisan("shell", "-c", "raise SystemExit(5)")

    assert failed.returncode == 1 and "ValueError: no \\x1b[31mprice" in failed.stderr and "\x1b" not in failed.stderr
    assert broken.returncode == 1 and "SyntaxError" in broken.stderr
    assert unknown.returncode == 1 and "LookupError: no actor 'nobody' is known" in unknown.stderr
    assert exited.returncode == 5


def test_the_prompt_reads_what_is_typed_until_it_is_told_to_end(shells: Shells) -> None:
    typed = "pa.get(actor('shop').price.remote('jam'))\nactor(\n'nobody')\nexit()\n"

    code, shown = shells.at_terminal("shell", typed=typed)

    assert code == 0, shown
    assert "2 nodes up" in shown and ">>> " in shown and "21" in shown and "LookupError" in shown


def test_where_there_is_no_cluster_or_another_cookie_it_says_so(shells: Shells, tmp_path: Path) -> None:
    cookie = tmp_path / "cookie"
    cookie.write_text("of another cluster, and long enough for one")
    cookie.chmod(0o600)

    assert shells.partisan("shell", "--cluster", "none", "-c", "1").returncode == 3
    assert shells.partisan("shell", "--cookie-file", str(cookie), "-c", "1").returncode == 4
