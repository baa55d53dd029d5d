"""What Ray's names take, give and raise, where that is not what the names of this package do."""

from __future__ import annotations

import json
import os
import pickle
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import partisan_actors as pa
import partisan_actors.compat.ray as ray
from partisan_actors.compat.ray.absent import ABSENT
from partisan_actors.compat.ray.lifecycle import RayContext
from partisan_actors.compat.ray.util import state
from partisan_actors.compat.ray.util.multiprocessing import Pool
from partisan_actors.compat.ray.util.placement_group import placement_group, placement_group_table
from partisan_actors.compat.ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from tests.integration.programs import wait_until


@pytest.fixture(scope="module", autouse=True)
def context() -> Iterator[RayContext]:
    with ray.init(
        num_cpus=3, num_gpus=1, resources={"widget": 2}, labels={"zone": "a"}, include_dashboard=True
    ) as made:
        yield made


@ray.remote
def square(value: int) -> int:
    return value * value


@ray.remote
def pid() -> int:
    return os.getpid()


@ray.remote
class Plain:
    def one(self) -> int:
        return 1

    def about(self) -> Any:
        here = ray.get_runtime_context()
        return here.get_actor_id(), here.get_actor_name(), here.get_node_id(), here.current_actor, here.namespace

    def leave(self) -> None:
        ray.actor.exit_actor()


class Derived(Plain):
    def two(self) -> int:
        return 1 + self.one()


class Awkward(Exception):
    """One whose constructor takes other things than it passes on."""

    def __init__(self, first: int, *, second: str) -> None:
        super().__init__("awkward")
        self.first, self.second = first, second


@ray.remote
def fail() -> None:
    raise Awkward(1, second="two")


def test_the_dashboard_that_was_asked_for_is_where_the_context_says(context: RayContext) -> None:
    assert context.dashboard_url.startswith("127.0.0.1:") and context["webui_url"] == context.dashboard_url

    with urllib.request.urlopen(f"http://{context.dashboard_url}/api/v1/cluster", timeout=60) as answer:
        assert json.load(answer)["asked"] >= 1


def test_the_session_tells_where_it_is(context: RayContext) -> None:
    assert ray.is_initialized()
    assert bytes.fromhex(context.address_info["node_id"])
    assert context["node_id"] == context.address_info["node_id"] == ray.get_runtime_context().get_node_id()
    assert set(context) == set(context.address_info)
    with pytest.raises(RuntimeError, match=r"ray\.init twice"):
        ray.init()
    assert ray.init(ignore_reinit_error=True) is context


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"nonsense": 1, "ignore_reinit_error": True}, RuntimeError),
        ({"_system_config": {"a": 1}, "ignore_reinit_error": True}, NotImplementedError),
        ({"proxy_server_url": "x", "ignore_reinit_error": True}, NotImplementedError),
    ],
)
def test_what_init_does_not_know_or_cannot_do_is_said(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ray.init(**options)


def test_nodes_and_resources_have_ray_s_rows_and_names() -> None:
    (row,) = ray.nodes()

    assert row["Alive"]
    assert row["Resources"]["CPU"] == 3.0
    assert row["Labels"]["zone"] == "a"
    assert {"CPU", "GPU", "memory", "widget"} <= set(ray.cluster_resources())
    assert ray.available_resources()["widget"] == 2.0
    ref = square.options(scheduling_strategy=NodeAffinitySchedulingStrategy(row["NodeID"], soft=False)).remote(3)
    assert ray.get(ref) == 9


def test_remote_has_the_forms_that_ray_s_has() -> None:
    assert ray.get(ray.remote(lambda: 7).remote()) == 7
    assert ray.get(square.options(num_cpus=0.5, name="a square").remote(2)) == 4
    with pytest.raises(AssertionError, match="no arguments and no parentheses"):
        ray.remote()
    with pytest.raises(TypeError, match="function or a class"):
        ray.remote((7).__class__.__add__)
    with pytest.raises(ValueError, match="async def"):

        @ray.remote
        async def never() -> None: ...

    with pytest.raises(TypeError):
        square(1)
    with pytest.raises(TypeError):
        Plain()
    with pytest.raises(TypeError):
        square.remote(1, 2)
    with pytest.raises(ValueError, match="max_calls"):
        square.options(max_calls=1)
    with pytest.raises(ValueError, match="at least one option"):
        ray.method()


def test_options_stay_ray_s_on_copies_and_when_they_are_sent() -> None:
    copied = pickle.loads(pickle.dumps(Plain.options(num_cpus=1)))

    assert isinstance(copied, type(Plain))
    assert isinstance(cloudpickle.loads(cloudpickle.dumps(square)), type(square))
    with pytest.raises(TypeError, match="The type of keyword 'num_cpus'"):
        copied.options(num_cpus="1")


def test_a_decorated_class_can_be_derived_from() -> None:
    assert ray.get(ray.remote(Derived).remote().two.remote()) == 2


def test_each_actor_and_each_task_has_a_process_that_is_not_this_one() -> None:
    assert ray.get(pid.remote()) != os.getpid()


def test_get_refuses_what_ray_s_refuses() -> None:
    ref = ray.put(1)

    with pytest.raises(ValueError, match="Invalid type of object refs"):
        ray.get((ref,))
    with pytest.raises(TypeError):
        ray.put(ref)
    with pytest.raises(TypeError):
        ray.wait(ref)
    with pytest.raises(ValueError, match="once"):
        ray.wait([ref, ref])
    with pytest.raises(ValueError, match="num_returns"):
        ray.wait([ref], num_returns=2)
    with pytest.raises(ValueError, match="Failed to look up"):
        ray.get_actor("nobody")
    with pytest.raises(ValueError, match="non-empty"):
        ray.get_actor("")


def test_an_exception_of_any_constructor_arrives_as_what_it_is() -> None:
    with pytest.raises(Awkward) as caught:
        ray.get(fail.remote())

    assert isinstance(caught.value, ray.exceptions.RayTaskError)
    assert caught.value.second == "two"
    assert isinstance(caught.value.cause, Awkward)
    assert "in fail" in str(caught.value)


def test_an_actor_knows_who_it_is_and_can_leave() -> None:
    plain = Plain.options(name="plain", namespace="here").remote()

    actor_id, name, node_id, itself, namespace = ray.get(plain.about.remote())

    assert bytes.fromhex(actor_id)
    assert (name, namespace, itself) == ("plain", "here", plain)
    assert node_id == ray.get_runtime_context().get_node_id()
    with pytest.raises(ray.exceptions.ActorDiedError, match="it exited"):
        ray.get(plain.leave.remote())
    with pytest.raises(TypeError):
        ray.actor.exit_actor()


def test_placement_groups_are_shown_in_ray_s_names() -> None:
    group = placement_group([{"CPU": 1, "GPU": 1}], strategy="STRICT_PACK")

    assert group.wait(60)
    assert placement_group_table(group)["bundles"] == {0: {"CPU": 1, "GPU": 1}}
    assert group.id.hex() in placement_group_table()
    ray.util.remove_placement_group(group)


def test_utilities_are_where_ray_has_them() -> None:
    assert sorted(ray.util.as_completed([square.remote(number) for number in range(3)])) == [0, 1, 4]
    assert sorted(ray.util.map_unordered(square, range(3))) == [0, 1, 4]
    assert ray.util.get_node_ip_address() == "127.0.0.1"
    with Pool(1, ray_remote_args={"num_cpus": 0}) as pool:
        assert pool.map(abs, [-1, 2]) == [1, 2]


def test_the_state_of_the_cluster_has_ray_s_rows() -> None:
    actor = Plain.options(name="listed").remote()
    ray.get(actor.one.remote())

    (row,) = state.list_actors(filters=[("name", "=", "listed")])
    assert (row.state, row["class_name"], row.actor_id) == ("ALIVE", "Plain", actor._actor_id.hex())
    assert state.get_actor(row.actor_id) == row
    assert state.get_actor("nothing") is None
    assert row.node_id in [worker.worker_id for worker in state.list_workers()]
    assert [node.node_id for node in state.list_nodes()] == [ray.nodes()[0]["NodeID"]]
    assert state.summarize_actors()["cluster"]["summary"]["Plain"]["state_counts"]["ALIVE"] >= 1
    ray.kill(actor)
    wait_until(lambda: state.list_actors(filters=[("name", "=", "listed")])[0].state == "DEAD", "its end to be told")
    assert "killed" in state.list_actors(filters=[("name", "=", "listed")], detail=True)[0].death_cause
    assert len(state.list_actors(limit=1)) == 1
    with pytest.raises(ValueError, match="filter's test"):
        state.list_actors(filters=[("name", "~", "listed")])
    with pytest.raises(ValueError, match="no column 'nothing'"):
        state.list_actors(filters=[("nothing", "=", "listed")])
    with pytest.raises(NotImplementedError, match="another cluster"):
        state.list_actors("127.0.0.1:1")


def test_objects_are_listed_with_size_and_state_and_summed_up() -> None:
    @ray.remote
    class Holder:
        def hold(self, refs: list[Any]) -> None:
            self.refs = refs

    holder = Holder.remote()
    large = ray.put(bytes(2_000_000))
    ray.get(holder.hold.remote([large]))

    (row,) = wait_until(lambda: state.get_objects(large), "the object to be listed")
    assert (row.object_id, row.task_status, row.type, row.pid) == (large.hex(), "FINISHED", "DRIVER", os.getpid())
    assert 2_000_000 <= row.object_size < 2_001_000
    assert row in state.list_objects(filters=[("object_size", "=", row.object_size)])
    (held,) = [each for each in pa.list_objects(state="ready") if each["id"] == str(large.id)]
    assert held["held_by"] and held["size_bytes"] == row.object_size
    summary = state.summarize_objects()["cluster"]
    assert summary["summary"]["disabled"]["total_objects"] == summary["total_objects"] >= 1
    assert summary["total_size_mb"] > 1.9
    with pytest.raises(pa.ConfigError, match="state"):
        pa.list_objects(state="lost")
    assert state.get_objects("nothing") == []


def test_the_programs_of_the_cluster_are_its_jobs() -> None:
    (row,) = state.list_jobs(filters=[("status", "=", "RUNNING")])

    assert row.job_id == ray.get_runtime_context().get_job_id()
    assert row.driver_info["pid"] == str(os.getpid())
    assert state.get_job(row.job_id) == row
    assert state.get_job("nothing") is None


def test_a_timeline_of_what_is_not_traced_is_empty_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert ray.timeline() == []
    assert ray.timeline(str(tmp_path / "timeline.json")) is None

    assert json.loads((tmp_path / "timeline.json").read_text())["traceEvents"] == []
    assert "nothing is traced" in caplog.text


def test_tasks_are_listed_also_when_they_are_done(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    @ray.remote(num_cpus=3)
    def held(path: str) -> None:
        wait_until(Path(path).exists, "the gate to be opened")

    refs = [held.options(name=f"held {number}").remote(str(gate)) for number in range(2)]
    try:
        wait_until(
            lambda: [row.state for row in state.list_tasks(filters=[("name", "=", "held 0")])] == ["RUNNING"],
            "the first to run",
        )
        (row,) = state.list_tasks(filters=[("name", "=", "held 1")])
        assert row.state in ("PENDING_NODE_ASSIGNMENT", "SUBMITTED_TO_WORKER")
        first = state.get_task(refs[0])
        assert first is not None
        assert (first.task_id, first.type, first.attempt_number) == (refs[0].task_id().hex(), "NORMAL_TASK", 0)
        assert set(state.summarize_tasks()["cluster"]["summary"]) >= {"held 0", "held 1"}
        assert {task["state"] for task in pa.list_tasks(name="held 0")} == {"running"}
        with pytest.raises(pa.ConfigError, match="state"):
            pa.list_tasks(state="done")
    finally:
        gate.touch()
    ray.get(refs)
    row = state.get_task(refs[0])
    assert row is not None
    assert (row.state, row.name, row.error_type) == ("FINISHED", "held 0", None)
    assert row.creation_time_ms <= row.end_time_ms
    assert row.node_id == ray.get_runtime_context().get_node_id()
    assert row.worker_id != row.node_id


def test_a_task_that_failed_is_listed_with_its_error() -> None:
    @ray.remote(name="fails")
    def fails() -> None:
        raise KeyError("lost key")

    with pytest.raises(KeyError):
        ray.get(fails.remote())

    (row,) = state.list_tasks(filters=[("name", "=", "fails")])
    assert (row.state, row.error_type, row.type) == ("FAILED", "TASK_EXECUTION_EXCEPTION", "NORMAL_TASK")
    assert "lost key" in row.error_message
    summary = state.summarize_tasks()["cluster"]
    assert summary["summary"]["fails"]["state_counts"] == {"FAILED": 1}
    assert summary["total_tasks"] >= 1


def test_calls_of_actors_are_listed_until_they_have_ended_and_counted_then(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    @ray.remote
    class Holder:
        def hold(self, path: str) -> None:
            wait_until(Path(path).exists, "the gate to be opened")

        def fail(self) -> None:
            raise ValueError("on purpose")

    holder = Holder.remote()
    refs = [holder.hold.remote(str(gate)) for _ in range(2)]
    try:
        wait_until(
            lambda: (
                sorted(row.state for row in state.list_tasks(filters=[("name", "=", "Holder.hold")]))
                == ["PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY", "RUNNING"]
            ),
            "both to be listed",
        )
        rows = state.list_tasks(filters=[("type", "=", "ACTOR_TASK"), ("name", "=", "Holder.hold")])
        assert {row.actor_id for row in rows} == {holder._actor_id.hex()}
        assert {row["state"] for row in pa.list_calls(method="hold")} == {"queued", "running"}
    finally:
        gate.touch()
    ray.get(refs)
    with pytest.raises(ValueError, match="on purpose"):
        ray.get(holder.fail.remote())

    wait_until(lambda: not pa.list_calls(actor=holder._actor_id), "the calls to have ended")

    def counts(name: str) -> object:
        return state.summarize_tasks()["cluster"]["summary"].get(name, {}).get("state_counts")

    wait_until(lambda: counts("Holder.hold") == {"FINISHED": 2}, "the calls to be counted")
    wait_until(lambda: counts("Holder.fail") == {"FAILED": 1}, "the failure to be counted")


def test_groups_are_listed() -> None:
    group = placement_group([{"CPU": 1}], name="listed")
    assert group.wait(60)

    (row,) = state.list_placement_groups(filters=[("name", "=", "listed")])
    assert (row.state, row.placement_group_id) == ("CREATED", group.id.hex())
    assert state.get_placement_group(row.placement_group_id) == row
    ray.util.remove_placement_group(group)


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_what_is_absent_names_the_alternative(name: str) -> None:
    with pytest.raises(NotImplementedError, match=f"ray.{name} is not supported: .+"):
        getattr(ray, name)()


def test_shutdown_can_be_repeated_and_init_works_again_afterwards(
    context: RayContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PARTISAN_RUN_DIR", str(tmp_path))  # where no other cluster of this machine is found
    monkeypatch.delenv("PARTISAN_ADDRESS", raising=False)
    ray.shutdown()
    ray.shutdown()
    assert not ray.is_initialized()

    with pytest.raises(ConnectionError):
        ray.init("auto")
    with pytest.raises(ValueError, match="existing cluster"):
        ray.init("127.0.0.1:1", num_cpus=1)
    with pytest.raises(NotImplementedError, match="client protocol"):
        ray.init("ray://127.0.0.1:1")
    with ray.init("local", num_cpus=1):
        assert ray.cluster_resources()["CPU"] == 1.0
    assert not pa.is_initialized()

    assert ray.get(square.remote(3), timeout=60) == 9  # the first use begins a session, as `init()` would
    assert ray.is_initialized()
    assert ray.cluster_resources()["CPU"] == len(os.sched_getaffinity(0))
    ray.shutdown()
