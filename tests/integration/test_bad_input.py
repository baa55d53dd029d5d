"""Every mistake has its clear error, and leaves neither a process nor half of anything behind."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.node.workers import forks_workers
from tests.integration.programs import Programs, children, wait_until, workers_of


@pa.actor
class Shop:
    def __init__(self, name: str, size: int = 1) -> None:
        self.name, self.size = name, size

    def sell(self, what: str, count: int = 1) -> str:
        return f"{count} {what}"

    async def sell_soon(self, what: str, *, gift: bool) -> str:
        return f"{what} {gift}"

    def make_lock(self) -> Any:
        return {"lock": threading.Lock()}

    @property
    def owner(self) -> str:
        return "me"

    def stream(self) -> Any:
        yield 1


@pa.task
def total(first: int, second: int) -> int:
    return first + second


@pytest.fixture(scope="module", autouse=True)
def children_before() -> set[int]:
    """The processes that were there before the first test here."""
    return children()


@pytest.fixture
def shop(cluster: pa.Session) -> Any:
    actor = Shop.remote("corner")
    yield actor
    pa.kill(actor)


# ---- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_cpu": 1}, r"option num_cpu = 1 is not valid: expected one of .*\(did you mean 'num_cpus'\?\)"),
        ({"nonsense": 1}, r"option nonsense = 1 is not valid: expected one of the options num_cpus, .*max_restarts"),
        ({"num_cpus": -1}, "num_cpus = -1 is not valid"),
        ({"num_cpus": "two"}, "num_cpus = 'two' is not valid"),
        ({"memory": float("nan")}, "memory = nan is not valid"),
        ({"resources": {"num_cpus": 1}}, "num_cpus"),
        ({"max_restarts": -2}, "max_restarts = -2 is not valid: expected a whole number, or -1 for no limit"),
        ({"max_restarts": True}, "max_restarts = True is not valid"),
        ({"mailbox_max": 0}, "mailbox_max = 0 is not valid: expected a positive whole number"),
        ({"max_concurrency": 1.5}, "max_concurrency = 1.5 is not valid"),
        ({"name": ""}, "name = '' is not valid"),
        ({"name": 5}, "name = 5 is not valid"),
        ({"get_if_exists": True}, "get_if_exists = True is not valid: expected False, unless the actor has a name"),
        ({"lifetime": "forever"}, "lifetime = 'forever' is not valid: expected None or \"detached\""),
        ({"placement": "best"}, "placement = 'best' is not valid"),
        ({"labels": {"zone": "in(a"}}, "zone"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_actor_s_bad_option_is_named_with_what_is_allowed(options: dict[str, Any], message: str) -> None:
    for use in (lambda: Shop.options(**options), lambda: pa.actor(**options)):
        with pytest.raises(pa.ConfigError, match=message) as caught:
            use()
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_retry": 1}, "did you mean 'max_retries'"),
        ({"max_retries": -5}, "max_retries = -5 is not valid"),
        ({"retry_exceptions": "all"}, "retry_exceptions = 'all' is not valid"),
        ({"num_gpus": -1}, "num_gpus = -1 is not valid"),
    ],
    ids=str,
)
def test_a_task_s_bad_option_is_named_with_what_is_allowed(options: dict[str, Any], message: str) -> None:
    with pytest.raises(pa.ConfigError, match=message):
        total.options(**options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": -1}, "workers = -1 is not valid: expected a whole number from 0 to"),
        ({"workers": "all"}, "workers = 'all' is not valid"),
        ({"name": "no spaces"}, "name = 'no spaces' is not valid"),
        ({"bind": "nowhere"}, "expected HOST:PORT"),
        ({"bind": "192.0.2.1:0"}, "bind = '192.0.2.1:0' is not valid: expected an address that can be bound here"),
        ({"overlay": "star"}, "overlay = 'star' is not valid: expected"),
        ({"routing": "magic"}, "routing = 'magic' is not valid: expected"),
        ({"channels": {"Big Ones": 2}}, "channel name = 'Big Ones' is not valid"),
        ({"channels": {"calls": 0}}, "parallelism = 0 is not valid"),
        ({"cookie": "short"}, "at least 8 bytes of secret"),
        ({"address": "not an address"}, "expected HOST:PORT"),
        ({"address": "127.0.0.1:1", "workers": 2}, "workers = 2 is not valid: expected 0 or nothing when an address"),
        ({"tracing": "yes"}, "tracing = 'yes' is not valid"),
        ({"resources": {"num_cpus": -1}}, "num_cpus"),
        ({"overlay_options": {"fan_out": 3}}, "fan_out"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_setting_of_init_is_named_and_starts_nothing(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(pa.ConfigError, match=message):
        pa.init(**{"workers": 0, **settings} if "address" not in settings else settings)

    assert not pa.is_initialized()


def test_a_setting_that_init_does_not_have_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="num_workers"):
        pa.init(num_workers=2)  # type: ignore[call-arg]  # this is the mistake


# ---- joining ---------------------------------------------------------------------------------------------------------


def test_joining_a_dead_address_says_so_in_time() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(pa.NotYetConnected, match=rf"cannot reach {address}: connection refused") as caught:
            pa.init(address=address)

    assert isinstance(caught.value, ConnectionError)
    assert not pa.is_initialized()


def test_joining_something_that_is_no_node_says_so_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"

        with pytest.raises(pa.NotYetConnected, match=rf"cannot reach {address}: no answer within 2 s"):
            pa.init(address=address)

    assert not pa.is_initialized()


# These run in other processes, because this one has a session of its own.
JOIN = """
    import sys
    import partisan_actors as pa

    try:
        pa.init(address=sys.argv[1], **({"cluster": sys.argv[2]} if len(sys.argv) > 2 else {}))
    except pa.PartisanError as error:
        print(type(error).__name__, error, pa.is_initialized())
"""


def test_a_cluster_with_another_cookie_is_not_joined(cluster: pa.Session, programs: Programs, tmp_path: Path) -> None:
    output = programs.run(JOIN, cluster.address, PARTISAN_COOKIE_FILE=str(tmp_path / "other"))

    assert output.splitlines()[-1].startswith(f"AuthenticationError {cluster.address}")
    assert "the cookies differ: use the same cookie on every node" in output
    assert output.endswith("False")


def test_a_cluster_of_another_name_is_not_joined(cluster: pa.Session, programs: Programs) -> None:
    output = programs.run(JOIN, cluster.address, "another")

    assert f"AuthenticationError {cluster.address}" in output
    assert f"it belongs to cluster 'another', this node to '{cluster.cluster}'" in output


def test_two_clusters_of_one_user_never_meet(cluster: pa.Session, programs: Programs) -> None:
    output = programs.run(
        """
        import partisan_actors as pa
        with pa.init(workers=1) as session:
            print(sorted(row["name"].removeprefix(session.node_name) for row in pa.nodes()))
        """
    )

    assert output == "['', '-w1']"
    assert len(pa.nodes()) == 3


# ---- arguments -------------------------------------------------------------------------------------------------------


def test_a_wrong_argument_is_refused_before_anything_is_sent(shop: Any) -> None:
    with pytest.raises(TypeError, match=r"Shop\.sell\(what, count=\.\.\.\): missing a required argument: 'what'"):
        shop.sell.remote()
    with pytest.raises(TypeError, match=r"Shop\.sell\(.*\): too many positional arguments"):
        shop.sell.remote("a", 1, 2)
    with pytest.raises(TypeError, match=r"Shop\.sell_soon\(.*\): missing a required .*'gift'"):
        shop.sell_soon.remote("a")
    with pytest.raises(TypeError, match=r"Shop\.sell\(.*\): got an unexpected keyword argument 'size'"):
        shop.sell.tell("a", size=2)
    with pytest.raises(TypeError, match=r"Shop\(name, size=.*\): missing a required argument: 'name'"):
        Shop.remote()
    with pytest.raises(TypeError, match=r"total\(first.*: missing a required argument: 'second'"):
        total.remote(1)


def test_calling_what_is_no_method_says_what_there_is(shop: Any) -> None:
    with pytest.raises(
        AttributeError, match=r"Shop has no remote method 'buy': its methods are make_lock, sell, sell_soon"
    ):
        shop.buy.remote()
    with pytest.raises(AttributeError, match="it is a property: call a method instead"):
        shop.owner.remote()
    with pytest.raises(AttributeError, match="its attributes can only be changed by its own methods"):
        shop.size = 4


def test_calling_like_a_local_function_says_how_to_do_it(shop: Any) -> None:
    with pytest.raises(TypeError, match=r"write handle\.sell\.remote\(\.\.\.\)"):
        shop.sell("a")
    with pytest.raises(TypeError, match=r"write Shop\.remote\(\.\.\.\) for an actor"):
        Shop("corner")  # type: ignore[call-arg]  # this is the mistake
    with pytest.raises(TypeError, match=r"write total\.remote\(\.\.\.\)"):
        total(1, 2)  # type: ignore[operator]  # this is the mistake


def test_an_unpicklable_argument_is_named_with_its_path(shop: Any) -> None:
    lock = threading.Lock()

    with pytest.raises(
        pa.SerializationError,
        match=r"cannot send the arguments of Shop\.sell: args\[0\]\['deep'\]\[1\] of type lock cannot be pickled",
    ) as caught:
        shop.sell.remote({"deep": [1, lock]})
    assert isinstance(caught.value, TypeError)
    with pytest.raises(pa.SerializationError, match=r"arguments of Shop\.sell: kwargs\['count'\] of type lock"):
        shop.sell.remote("a", count=lock)
    with pytest.raises(pa.SerializationError, match=r"constructor arguments of Shop: args\[0\] of type lock"):
        Shop.remote(lock)
    with pytest.raises(pa.SerializationError, match=r"arguments of total: args\[1\] of type lock"):
        total.remote(1, lock)
    with pytest.raises(pa.SerializationError, match=r"the value given to put: value\.lock of type lock"):
        pa.put(_Holder(lock))
    with pytest.raises(pa.SerializationError, match=r"args\[0\]\.<closure lock> of type lock"):
        shop.sell.remote(lambda: lock)


class _Holder:
    def __init__(self, lock: Any) -> None:
        self.lock = lock


def test_an_unpicklable_result_is_named_with_its_path(shop: Any) -> None:
    with pytest.raises(
        pa.SerializationError, match=r"cannot send the result of Shop\.make_lock: value\['lock'\] of type lock"
    ):
        pa.get(shop.make_lock.remote(), timeout=30)
    assert pa.get(shop.sell.remote("tea")) == "1 tea"


def test_an_unpicklable_class_or_function_is_named(cluster: pa.Session) -> None:
    lock = threading.Lock()

    @pa.actor
    class Locked:
        def use(self) -> bool:
            return lock.locked()

    @pa.task
    def locked() -> bool:
        return lock.locked()

    with pytest.raises(pa.SerializationError, match=r"cannot send the class .*Locked"):
        Locked.remote()
    with pytest.raises(
        pa.SerializationError, match=r"cannot send the function .*locked: .*<closure lock> of type lock"
    ):
        locked.remote()


class _BreaksOnArrival:
    def __reduce__(self) -> Any:
        return int, ("not a number",)


def test_an_argument_that_breaks_on_arrival_fails_that_call_only(shop: Any) -> None:
    with pytest.raises(ValueError, match=r"(?s)Shop\.sell on node .*invalid literal for int"):
        pa.get(shop.sell.remote(_BreaksOnArrival()), timeout=30)
    with pytest.raises(ValueError, match="invalid literal for int"):
        pa.get(total.remote(_BreaksOnArrival(), 1), timeout=30)
    with pytest.raises(ValueError, match=r"(?s)constructor arguments of Shop.* on node .*invalid literal for int"):
        pa.get(Shop.remote(_BreaksOnArrival()).sell.remote("x"), timeout=30)
    assert pa.get(shop.sell.remote("tea")) == "1 tea"


# ---- get, wait, kill, decorators -------------------------------------------------------------------------------------


def test_get_wait_and_kill_take_what_they_take(shop: Any) -> None:
    ref = shop.sell.remote("tea")
    mistakes: list[tuple[Any, type[Exception], str]] = [
        (lambda: pa.get(5), TypeError, "get takes an ObjectRef or a list of them, not int"),
        (lambda: pa.get([ref, 5]), TypeError, "the list holds a int"),
        (lambda: pa.get("refs"), TypeError, "not str"),
        (lambda: pa.get(shop), TypeError, "not ActorHandle"),
        (lambda: pa.wait(ref), TypeError, "wait takes a list of ObjectRefs"),
        (lambda: pa.wait([ref, ref]), ValueError, "each ref once"),
        (lambda: pa.wait([ref], num_returns=2), ValueError, "from 1 to the number of refs, 1"),
        (lambda: pa.wait([ref], num_returns=0), ValueError, "num_returns is 0"),
        (lambda: pa.wait([ref], timeout=-1), ValueError, "timeout must not be negative"),
        (lambda: pa.kill(ref), TypeError, "kill takes an ActorHandle, not ObjectRef"),
        (lambda: pa.get_actor(5), TypeError, "an actor's name is a str, not int"),  # type: ignore[arg-type]  # this too
        (lambda: pa.get_actor("nobody"), pa.ActorNotFound, "'nobody'"),
        (lambda: shop.sell.options(timeout=0), pa.ConfigError, "timeout = 0 is not valid"),
        (lambda: shop.sell.options(channel="fast"), pa.ConfigError, "channel = 'fast' is not valid: expected one of"),
        (lambda: pa.actor(5), pa.ConfigError, "expected a class"),  # type: ignore[type-var]  # and this
        (lambda: pa.actor(total.function), pa.ConfigError, "expected a class"),
        (lambda: pa.task(5), pa.ConfigError, "expected a function"),  # type: ignore[call-overload]  # and this
        (lambda: pa.task(_Holder), pa.ConfigError, "for a class there is @actor"),
    ]

    for mistake, kind, message in mistakes:
        with pytest.raises(kind, match=message):
            mistake()


# ---- nothing is left -------------------------------------------------------------------------------------------------


def test_what_fits_nowhere_says_what_was_needed_and_who_came_closest(cluster: pa.Session) -> None:
    big = Shop.options(num_cpus=64, num_gpus=1).remote("big")

    with pytest.raises(
        pa.Unplaceable, match=r"needs 64 CPU, 1 GPU; the closest is driver-.*-w\d.*\(short of 63 CPU, 1 GPU\)"
    ) as caught:
        pa.get(big.sell.remote("x"), timeout=30)

    assert caught.value.needed == "64 CPU, 1 GPU"
    assert caught.value.best_node.startswith(cluster.node_name)


def test_a_second_actor_of_a_name_is_refused_and_leaves_nothing(cluster: pa.Session) -> None:
    first = Shop.options(name="only").remote("a")
    wait_until(lambda: _actors() == 1, "one actor to be counted")

    for _ in range(3):
        with pytest.raises(pa.ActorExists, match=r"an actor named 'only' exists already, on node .*get_actor"):
            Shop.options(name="only", num_cpus=1).remote("b")

    wait_until(lambda: pa.available_resources()["num_cpus"] == 2.0, "all CPUs to be free")
    pa.kill(first)
    wait_until(lambda: _actors() == 0, "no actor to be left")


def _actors() -> int:
    return sum(int(row["actors"]) for row in pa.nodes() if row["state"] == "up")


def test_after_all_these_mistakes_only_the_two_workers_are_left(children_before: set[int], cluster: pa.Session) -> None:
    assert {worker.pid for worker in workers_of(os.getpid())} == set(cluster.worker_pids)
    assert len(children() - children_before) == (1 if forks_workers(os.environ) else 2)  # who forked them, or they
    wait_until(lambda: pa.available_resources()["num_cpus"] == 2.0, "all CPUs to be free")
