"""Below `api`, time, chance and background jobs come from their owners, so that any run can be repeated.

Whoever else needs them gets them passed in: `now`, a clock, a `random.Random`, the node's background jobs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest

from tests.house.source import Source, package_sources

# The floors from `api` up live with people, in whose world there is only one clock.
FREE: Final = ("api", "cli", "compat", "dashboard", "simulation", "testing", "util")

# Which module may take what from the air, and why it is the owner.
OWNERS: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "node/background.py": (
        frozenset({"create_task"}),
        "the owner of a node's background jobs: each has a name there, and an end",
    ),
    "actors/hooks.py": (
        frozenset({"create_task"}),
        "a hook runs in its actor's context, and its caller awaits its end",
    ),
    "actors/outbound.py": (
        frozenset({"time.sleep"}),
        "the shortest sleep there is, on a thread of the caller's that sends without pause: the loop gets its turn",
    ),
    "node/config.py": (frozenset({"secrets.token_hex"}), "the name of a node that was given none"),
    "node/cookie.py": (frozenset({"secrets.token_hex"}), "a secret that could be repeated would be none"),
    "node/world.py": (
        frozenset({"secrets.token_bytes", "time.time_ns"}),
        "what a node that was given no other world takes: the wall clock, its seed, and nonces that never come again",
    ),
    "telemetry/recorder.py": (
        frozenset({"random.Random()", "time.monotonic_ns", "time.time_ns"}),
        "the defaults of a recorder that was given none; spans carry the time of day, and nothing is decided by it",
    ),
}

_FROM_THE_AIR: Final[Mapping[str, frozenset[str]]] = {
    "time": frozenset({"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"}),
    "datetime": frozenset({"now", "utcnow", "today"}),
    "asyncio": frozenset({"create_task", "ensure_future"}),
    "os": frozenset({"urandom", "getrandom"}),
    "uuid": frozenset({"uuid1", "uuid4"}),
    "secrets": frozenset({"choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe"}),
    "random": frozenset(
        {"SystemRandom", "betavariate", "choice", "choices", "expovariate", "gauss", "getrandbits", "randbytes",
         "randint", "random", "randrange", "sample", "seed", "shuffle", "triangular", "uniform"}
    ),
}  # fmt: skip  # one module a line


def test_clocks_chance_and_background_jobs_have_owners() -> None:
    taken = from_the_air(package_sources())
    loose = {path: names - _owned(path) for path, names in taken.items() if names - _owned(path)}

    assert not loose


def test_every_owner_still_owns_what_it_is_listed_for() -> None:
    taken = from_the_air(package_sources())
    unused = {path: names - taken.get(path, set()) for path, (names, _) in OWNERS.items()}

    assert not {path: names for path, names in unused.items() if names}
    assert all(len(reason) > 20 for _, reason in OWNERS.values())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import time\ntime.monotonic()", "time.monotonic"),
        ("import time as t\nclock = t.time_ns", "time.time_ns"),
        ("from time import monotonic\ndef f(clock=monotonic): ...", "time.monotonic"),
        ("import random\nrandom.shuffle([])", "random.shuffle"),
        ("import random\nrandom.Random()", "random.Random()"),
        ("from random import Random\nRandom()", "random.Random()"),
        ("import datetime\ndatetime.datetime.now()", "datetime.now"),
        ("from datetime import datetime\ndatetime.now()", "datetime.now"),
        ("import asyncio\nasyncio.create_task(f())", "create_task"),
        ("self._loop.create_task(f())", "create_task"),
        ("import uuid\nuuid.uuid4()", "uuid.uuid4"),
        ("from secrets import token_hex", "secrets.token_hex"),
    ],
)
def test_a_planted_theft_is_found(text: str, name: str) -> None:
    assert from_the_air([Source("partisan_actors/node/planted.py", text)]) == {"node/planted.py": {name}}


@pytest.mark.parametrize(
    "text",
    [
        "import random\nrandom.Random(7)",
        "def f(rng, loop):\n    rng.shuffle([])\n    return loop.time()",
        "import random\ndef f(rng: random.Random) -> None: ...",
    ],
)
def test_what_is_passed_in_is_nobody_s_theft(text: str) -> None:
    assert from_the_air([Source("partisan_actors/node/planted.py", text)]) == {}


def test_the_floors_from_api_up_are_free() -> None:
    assert from_the_air([Source("partisan_actors/cli/planted.py", "import time\ntime.time()")]) == {}


def from_the_air(sources: Sequence[Source]) -> dict[str, set[str]]:
    """By module (path inside the package), the clocks, chances and job starters it takes without being given them."""
    taken: dict[str, set[str]] = {}
    for source in sources:
        path = source.path.removeprefix("partisan_actors/")
        names = set() if path.startswith(tuple(f"{floor}/" for floor in FREE)) else set(_taken(source.tree))
        if names:
            taken[path] = names
    return taken


def _taken(tree: ast.Module) -> Iterator[str]:
    modules: dict[str, str] = {}  # by local name
    classes: dict[str, tuple[str, str]] = {}  # by local name: the module and the name there
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {(alias.asname or alias.name): alias.name for alias in node.names if alias.name in _FROM_THE_AIR}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.module in _FROM_THE_AIR:
            for alias in node.names:
                if alias.name in _FROM_THE_AIR[node.module]:
                    yield _spelled(node.module, alias.name)
                classes[alias.asname or alias.name] = (node.module, alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from _attribute(node, modules, classes)
        elif isinstance(node, ast.Call) and not node.args and not node.keywords and _is_random(node, modules, classes):
            yield "random.Random()"


def _attribute(
    node: ast.Attribute, modules: Mapping[str, str], classes: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    if node.attr in ("create_task", "ensure_future"):
        yield node.attr
        return
    owner = node.value
    if isinstance(owner, ast.Attribute) and isinstance(owner.value, ast.Name):  # datetime.datetime.now
        module = modules.get(owner.value.id)
        if module == "datetime" and node.attr in _FROM_THE_AIR[module]:
            yield _spelled(module, node.attr)
    elif isinstance(owner, ast.Name):
        module = modules.get(owner.id) or classes.get(owner.id, ("", ""))[0]
        if module and node.attr in _FROM_THE_AIR[module]:
            yield _spelled(module, node.attr)


def _is_random(node: ast.Call, modules: Mapping[str, str], classes: Mapping[str, tuple[str, str]]) -> bool:
    called = node.func
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return modules.get(called.value.id) == "random" and called.attr == "Random"
    return isinstance(called, ast.Name) and classes.get(called.id) == ("random", "Random")


def _spelled(module: str, name: str) -> str:
    return name if module == "asyncio" else f"{module}.{name}"


def _owned(path: str) -> frozenset[str]:
    return OWNERS.get(path, (frozenset(), ""))[0]
