"""Methods with options: how many results, what is tried again, how many calls may be unanswered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import nodes, until

pytestmark = pytest.mark.usefixtures("cluster")


@pa.actor
class Maker:
    def __init__(self, folder: str = "") -> None:
        self.folder = folder
        self.runs = 0

    @pa.method(num_returns=2)
    def pair(self) -> tuple[int, int]:
        return 1, 2

    @pa.method(num_returns=2)
    async def pair_soon(self) -> list[int]:
        return [1, 2]

    @pa.method(num_returns=2)
    def triple(self) -> tuple[int, ...]:
        return 1, 2, 3

    @pa.method(num_returns=0)
    def nothing(self, value: Any) -> Any:
        self.runs += 1
        return value

    def many(self, count: int) -> Any:
        return list(range(count))

    def squares(self, count: int) -> Any:
        for number in range(count):
            yield number * number

    def ran(self) -> int:
        return self.runs

    async def raises(self, kind: type[Exception], until: int) -> int:
        self.runs += 1
        if self.runs < until:
            raise kind("not yet")
        return self.runs

    @pa.method(max_task_retries=2, retry_exceptions=[KeyError])
    def raises_often(self, kind: type[Exception]) -> None:
        self.runs += 1
        raise kind("always")

    @pa.method(max_task_retries=2, retry_exceptions=True)
    def gives_up_late(self) -> Any:
        self.runs += 1
        for number in range(3):
            yield number, self.runs
        if self.runs < 3:
            raise ValueError("not yet")

    def waits_for(self, name: str) -> str:
        path = Path(self.folder, name)
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        return name


# ---- how many results ----------------------------------------------------------------------------------------------


def test_a_call_gives_as_many_refs_as_its_method_says() -> None:
    maker = Maker.remote()

    first, second = maker.pair.remote()
    assert pa.get([first, second]) == [1, 2]
    assert pa.get(maker.pair_soon.remote()) == [1, 2]


def test_a_single_call_may_say_another_number() -> None:
    maker = Maker.remote()

    assert pa.get(maker.many.options(num_returns=3).remote(3)) == [0, 1, 2]
    assert pa.get(maker.pair.options(num_returns=1).remote()) == (1, 2)
    assert maker.many.options(num_returns=0).remote(3) is None
    assert pa.get(maker.triple.options(num_returns=3).remote()) == [1, 2, 3]


def test_another_number_of_results_is_a_value_error_in_every_ref() -> None:
    maker = Maker.remote()

    for ref in [*maker.triple.remote(), *maker.many.options(num_returns=2).remote(1)]:
        with pytest.raises(ValueError, match=r"returned \d objects, but num_returns=2"):
            pa.get(ref)
    for ref in maker.ran.options(num_returns=2).remote():
        with pytest.raises(pa.TaskFailed, match="returned a int, but num_returns=2"):
            pa.get(ref)


def test_no_result_is_none_and_the_method_runs() -> None:
    maker = Maker.remote()

    assert maker.nothing.remote(1) is None
    assert pa.get(maker.ran.remote()) == 1


def test_an_error_of_a_method_without_results_is_logged_at_its_caller(caplog: pytest.LogCaptureFixture) -> None:
    maker = Maker.remote()
    quiet = maker.raises.options(num_returns=0)

    quiet.remote(ValueError, 2)

    assert pa.get(maker.raises.remote(ValueError, 2)) == 2  # it ran before
    assert any("Maker.raises, called with num_returns=0, failed" in each.message for each in caplog.records)


def test_what_a_generator_gives_can_be_had_at_once() -> None:
    maker = Maker.remote()

    assert pa.get(maker.squares.options(num_returns=3).remote(3)) == [0, 1, 4]
    assert pa.get(pa.get(maker.squares.options(num_returns="dynamic").remote(4))) == [0, 1, 4, 9]
    for ref in maker.squares.options(num_returns=2).remote(3):
        with pytest.raises(ValueError, match="returned 3 objects, but num_returns=2"):
            pa.get(ref)


# ---- trying again --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("retries", "runs"), [(0, 1), (2, 3), (-1, 7)])
def test_a_call_that_raises_is_made_as_often_as_its_options_say(retries: int, runs: int) -> None:
    maker = Maker.remote()
    method = maker.raises.options(max_task_retries=retries, retry_exceptions=True)

    ref = method.remote(ValueError, 7)

    if runs == 7:
        assert pa.get(ref) == 7
    else:
        with pytest.raises(ValueError, match="not yet"):
            pa.get(ref)
    assert pa.get(maker.ran.remote()) == runs


def test_only_exceptions_of_the_classes_that_were_named_are_tried_again() -> None:
    maker = Maker.remote()

    with pytest.raises(KeyError):
        pa.get(maker.raises_often.remote(KeyError))
    assert pa.get(maker.ran.remote()) == 3
    with pytest.raises(ValueError, match="always"):
        pa.get(maker.raises_often.remote(ValueError))
    assert pa.get(maker.ran.remote()) == 4


def test_the_actors_own_number_of_retries_stands_below_that_of_the_method_and_of_the_call() -> None:
    maker = Maker.options(max_task_retries=4).remote()

    with pytest.raises(ValueError, match="not yet"):
        pa.get(maker.raises.options(retry_exceptions=True).remote(ValueError, 100))
    assert pa.get(maker.ran.remote()) == 5
    with pytest.raises(KeyError):
        pa.get(maker.raises_often.remote(KeyError))
    assert pa.get(maker.ran.remote()) == 8
    with pytest.raises(KeyError):
        pa.get(maker.raises_often.options(max_task_retries=0).remote(KeyError))
    assert pa.get(maker.ran.remote()) == 9


def test_a_generator_that_is_tried_again_gives_each_item_once() -> None:
    maker = Maker.remote()

    items = [pa.get(ref) for ref in maker.gives_up_late.remote()]

    assert [item[0] for item in items] == [0, 1, 2]
    assert pa.get(maker.ran.remote()) == 3


# ---- how many calls may be unanswered ------------------------------------------------------------------------------


def test_a_handle_refuses_more_calls_than_it_may_have_unanswered(tmp_path: Path) -> None:
    maker = Maker.options(max_pending_calls=2).remote(str(tmp_path))
    refs = [maker.waits_for.remote("go"), maker.ran.remote()]

    with pytest.raises(pa.TooManyCalls, match=r"2 calls of actor Maker .* are unanswered: nothing was sent"):
        maker.ran.remote()

    (tmp_path / "go").touch()
    assert pa.get(refs) == ["go", 0]
    assert pa.get(maker.ran.remote()) == 0


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_returns": -1}, "num_returns = -1 is not valid: expected a whole number from 0"),
        ({"num_returns": "many"}, "num_returns = 'many' is not valid"),
        ({"num_returns": True}, "num_returns = True is not valid"),
        ({"num_returns": "streaming"}, "num_returns of Maker.many = 'streaming' .*as it is no generator"),
        ({"generator_backpressure": 1}, "generator_backpressure of Maker.many = 1 .*as it is no generator"),
        ({"generator_backpressure": 0}, "generator_backpressure = 0 is not valid"),
        ({"max_task_retries": -2}, "max_task_retries = -2 is not valid: expected a whole number, or -1 for no limit"),
        ({"max_task_retries": 1.5}, r"max_task_retries = 1\.5 is not valid"),
        ({"retry_exceptions": [1]}, r"retry_exceptions = \(1,\) is not valid: expected True, False, or a list of exc"),
        ({"concurrency_group": "io"}, "concurrency_group of Maker.many = 'io' .*has no concurrency_groups"),
        ({"concurrency_group": ""}, "concurrency_group = '' is not valid"),
        (
            {"retries": 1},
            "option retries = 1 is not valid: expected one of the options of a call: .*num_ret",
        ),
        ({"ack": True, "num_returns": 2}, "ack = True is not valid: expected False together with num_returns"),
    ],
)
def test_options_of_a_call_that_make_no_sense_say_what_is_allowed(options: dict[str, Any], message: str) -> None:
    maker = Maker.remote()

    with pytest.raises(pa.ConfigError, match=message):
        maker.many.options(**options)


def test_options_of_a_method_that_make_no_sense_are_found_where_it_is_defined() -> None:
    with pytest.raises(pa.ConfigError, match="option retries"):
        pa.method(retries=1)  # type: ignore[call-overload]  # this is the mistake

    class Plain:
        @pa.method(num_returns="streaming")
        def plain(self) -> int:
            return 1

    with pytest.raises(pa.ConfigError, match="num_returns of plain = 'streaming'"):
        pa.actor(Plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_task_retries": -2}, "max_task_retries = -2 is not valid"),
        ({"max_pending_calls": 0}, "max_pending_calls = 0 is not valid: expected a whole number from 1"),
        ({"concurrency_groups": ["io"]}, r"concurrency_groups = \['io'\] is not valid: expected a map"),
        ({"concurrency_groups": {"io": 0}}, r"concurrency_groups\['io'\] = 0 is not valid"),
    ],
)
def test_options_of_an_actor_about_calls_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(pa.ConfigError, match=message):
        Maker.options(**options)


def test_arguments_that_do_not_fit_are_refused_before_anything_is_sent() -> None:
    maker = Maker.options(max_pending_calls=1).remote()

    for wrong in (lambda: maker.pair.remote(1), lambda: maker.squares.remote(), lambda: maker.many.remote(size=1)):
        with pytest.raises(TypeError, match=r"Maker\.(pair|squares|many)\("):
            wrong()

    assert pa.get(maker.ran.remote()) == 0  # none of them counts as unanswered


# ---- classes -------------------------------------------------------------------------------------------------------


@pa.actor
class Louder(Maker):
    def __init__(self, folder: str = "") -> None:
        super().__init__(folder)
        self.runs = 10

    def many(self, count: int) -> Any:
        return ["!", *super().many(count)]

    @classmethod
    def named(cls) -> str:
        return cls.__name__

    @staticmethod
    def twice(value: int) -> int:
        return 2 * value

    @property
    def size(self) -> int:
        return 1

    attribute = 5


def test_a_class_derived_from_a_decorated_one_calls_its_methods_and_has_its_options() -> None:
    louder = Louder.remote()

    assert pa.get(louder.many.remote(2)) == ["!", 0, 1]
    assert pa.get(louder.ran.remote()) == 10
    assert pa.get(louder.pair.remote()) == [1, 2]


def test_class_and_static_methods_can_be_called_and_other_attributes_say_why_not() -> None:
    louder = Louder.remote()

    assert pa.get([louder.named.remote(), louder.twice.remote(4)]) == ["Louder", 8]
    with pytest.raises(AttributeError, match="it is a property: call a method instead"):
        louder.size.remote()
    with pytest.raises(AttributeError, match="Louder has no remote method 'attribute': its methods are"):
        louder.attribute.remote()


# ---- calls that are lost with a node -------------------------------------------------------------------------------


@pa.actor
class Phoenix:
    """Runs leave a file each; what is called waits for one."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def _begin(self) -> int:
        run = len(list(self.folder.glob("run*"))) + 1
        (self.folder / f"run{run}").touch()
        return run

    async def soon(self) -> int:
        run = self._begin()
        while not (self.folder / "go").exists():
            await asyncio.sleep(0.005)
        return run

    def blocking(self) -> int:
        run = self._begin()
        deadline = time.monotonic() + 60
        while not (self.folder / "go").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        return run

    async def stream(self) -> AsyncIterator[int]:
        run = self._begin()
        for number in range(5):
            if number == 3:
                while not (self.folder / "go").exists():
                    await asyncio.sleep(0.005)
            yield number
        yield run


@pytest.mark.parametrize("method", ["soon", "blocking", "stream"])
@pytest.mark.parametrize("retries", [0, 1, -1])
async def test_a_call_that_is_lost_with_its_node_runs_as_often_as_its_options_say(
    tmp_path: Path, method: str, retries: int
) -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            affinity = pa.NodeAffinity("b", soft=True)
            phoenix = Phoenix.options(placement=affinity, max_restarts=-1).remote(str(tmp_path))
            called = getattr(phoenix, method).options(max_task_retries=retries).remote()
        await until((tmp_path / "run1").exists)
        host = next(name for name, count in cluster.where().items() if count)
        assert host == "b"

        await cluster.crash("b")
        if retries:
            await until((tmp_path / "run2").exists)
        (tmp_path / "go").touch()

        refs = [ref async for ref in called] if method == "stream" else [called]
        if retries:
            values = [await ref for ref in refs]
            assert values == ([0, 1, 2, 3, 4, 2] if method == "stream" else [2])
        else:
            with pytest.raises((pa.NodeDown, pa.ActorUnavailable)):
                await refs[-1]
        assert len(list(tmp_path.glob("run*"))) == (2 if retries else 1)
