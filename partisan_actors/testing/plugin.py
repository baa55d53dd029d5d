"""The pytest plugin: fixtures with clusters to test actors on, simulated ones for many seeds, and a real one.

    @simulated(nodes=5, seeds=20, plan=FaultPlan((Crash(2.0, "1 random"),)))
    async def test_nothing_that_was_acknowledged_is_lost(simulated_cluster): ...

Each seed is a test of its own, with an id such as ``[seed7]`` that repeats it. pytest loads this module in every run of
whoever has installed the package, so it imports the rest only when a fixture is used.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from partisan_actors.api.session import Session
    from partisan_actors.simulation.cluster import SimulatedCluster

__all__ = ["partisan_cluster", "simulated", "simulated_cluster"]

FIXTURE: Final = "simulated_cluster"
MARK: Final = "partisan"
SEEDS_MAX: Final = 10_000


def simulated(*, seeds: int | list[int] = 1, **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Decorator of a test that takes the fixture `simulated_cluster`: it runs once for each seed.

    `seeds` is a number of seeds, counted from 1, or the seeds; `settings` are those of `SimulatedCluster`, and `plan`,
    a FaultPlan that begins when all nodes know each other. A coroutine function runs on the cluster's driver. Raises
    ConfigError for seeds that are none, and TypeError for a test that does not take the fixture.
    """
    _seeds(seeds)

    def decorate(test: Callable[..., Any]) -> Callable[..., None]:
        if FIXTURE not in inspect.signature(test).parameters:
            raise TypeError(f"{test.__qualname__} is simulated, so it has to take the fixture {FIXTURE}")
        mark = getattr(pytest.mark, MARK)(seeds=seeds, **settings)
        if not inspect.iscoroutinefunction(test):
            return mark(test)  # type: ignore[no-any-return]  # a mark returns what it is put on

        @functools.wraps(test)
        def run(*args: Any, **fixtures: Any) -> None:
            fixtures[FIXTURE].run(test(*args, **fixtures))

        return mark(run)  # type: ignore[no-any-return]  # the same

    return decorate


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the command line."""
    group = parser.getgroup("partisan_actors")
    group.addoption("--partisan-seeds", type=int, metavar="N", help="run simulated tests with the seeds 1 to N")
    group.addoption("--partisan-seed", type=int, metavar="S", help="run simulated tests with this seed only")


def pytest_configure(config: pytest.Config) -> None:
    """The mark that `simulated` puts on a test."""
    config.addinivalue_line(
        "markers", f"{MARK}(seeds, nodes, plan, **settings): settings of the fixture {FIXTURE}; see `simulated`"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each seed."""
    if FIXTURE not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker(MARK)
    only, count = metafunc.config.getoption("--partisan-seed"), metafunc.config.getoption("--partisan-seeds")
    if only is not None:
        seeds = [only]
    elif count is not None:
        seeds = _seeds(count)
    else:
        seeds = _seeds(mark.kwargs.get("seeds", 1) if mark is not None else 1)
    metafunc.parametrize(FIXTURE, seeds, indirect=True, ids=[f"seed{seed}" for seed in seeds])


@pytest.fixture
def simulated_cluster(request: pytest.FixtureRequest) -> Iterator[SimulatedCluster]:
    """A `SimulatedCluster` of the test's seed, started; see `simulated` for its settings."""
    from partisan_actors.simulation.cluster import SimulatedCluster

    mark = request.node.get_closest_marker(MARK)
    settings = {name: value for name, value in mark.kwargs.items() if name != "seeds"} if mark is not None else {}
    plan = settings.pop("plan", None)
    with SimulatedCluster(request.param, **settings) as cluster:
        if plan is not None:
            cluster.start_plan(plan)
        yield cluster


@pytest.fixture(scope="module")
def partisan_cluster() -> Iterator[Session]:
    """A real cluster of this process and two workers, for all tests of a module."""
    import partisan_actors

    with partisan_actors.init(workers=2) as session:
        yield session


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failure says when it was in virtual time, and how to repeat it."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # of pluggy
    seed = getattr(item, "callspec", None) and item.callspec.params.get(FIXTURE)  # type: ignore[attr-defined]  # of functions
    if seed is not None and report.when in ("setup", "call") and report.failed:
        cluster = getattr(item, "funcargs", {}).get(FIXTURE, "not started")
        command = f"pytest '{item.nodeid}' --partisan-seed {seed}"
        report.sections.append(("simulated cluster", f"{cluster!r}\nto repeat it: {command}"))


def _seeds(wanted: Any) -> list[int]:
    if isinstance(wanted, int) and not isinstance(wanted, bool) and 1 <= wanted <= SEEDS_MAX:
        return list(range(1, wanted + 1))
    if isinstance(wanted, list | tuple | range) and 1 <= len(wanted) <= SEEDS_MAX:
        seeds = [seed for seed in wanted if isinstance(seed, int) and not isinstance(seed, bool)]
        if len(seeds) == len(wanted):
            return seeds
    from partisan_actors.errors import ConfigError

    raise ConfigError("seeds", wanted, f"how many (1 to {SEEDS_MAX}), or a list of whole numbers")
