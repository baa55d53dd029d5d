"""Where work goes: strategies, groups, and what code knows of where it is."""

from __future__ import annotations

import os
from typing import Any

from tests.ray_programs.face import PATIENCE_S, Sights, caught, is_raised, part_of, ray, result_of, until

groups: Any = part_of("util.placement_group")
strategies: Any = part_of("util.scheduling_strategies")

# The id of a node that is not there.
NOWHERE = "ab" * 28


@ray.remote
def square(value: int) -> int:
    return value * value


@ray.remote
class Plain:
    def one(self) -> int:
        return 1

    def group(self) -> Any:
        current = ray.util.get_current_placement_group()
        return current is None or current.id.hex()

    def child_group(self) -> Any:
        return ray.get(group_of.remote())


@ray.remote
def group_of() -> Any:
    current = ray.util.get_current_placement_group()
    return None if current is None else current.id.hex()


@ray.remote
def node_of() -> Any:
    return ray.get_runtime_context().get_node_id()


def strategies_by_name() -> Sights:
    """Strategies, where there is one node."""
    here = ray.get_runtime_context().get_node_id()
    yield "default", result_of(square.options(scheduling_strategy="DEFAULT").remote(2))
    yield "spread", result_of(square.options(scheduling_strategy="SPREAD").remote(2))
    affinity = strategies.NodeAffinitySchedulingStrategy
    yield "by node", ray.get(node_of.options(scheduling_strategy=affinity(here, soft=False)).remote()) == here
    yield "by node, softly", result_of(square.options(scheduling_strategy=affinity(NOWHERE, soft=True)).remote(2))
    yield (
        "by a node that is not",
        result_of(square.options(scheduling_strategy=affinity(NOWHERE, soft=False)).remote(2)),
    )
    actor = Plain.options(scheduling_strategy=affinity(NOWHERE, soft=False)).remote()
    yield "an actor by a node that is not", result_of(actor.one.remote())
    yield "without soft", caught(lambda: affinity(here))
    labels = strategies.NodeLabelSchedulingStrategy
    exists = labels(hard={"zone": strategies.In("a", "b")})
    yield "by label", result_of(square.options(scheduling_strategy=exists).remote(2))
    yield "by label selector", result_of(square.options(label_selector={"zone": "a"}).remote(2))
    yield "by one of several", result_of(square.options(label_selector={"zone": "in(a,b)"}).remote(2))
    yield "by not", result_of(square.options(label_selector={"zone": "!b"}).remote(2))
    yield (
        "with a fallback",
        result_of(
            square.options(label_selector={"zone": "z"}, fallback_strategy=[{"label_selector": {"zone": "a"}}]).remote(
                2
            )
        ),
    )


def placement_groups() -> Sights:
    """Reserved resources are used by who says so, and free again afterwards."""
    group = groups.placement_group([{"CPU": 1}, {"CPU": 1, "widget": 1}], strategy="PACK", name="a group")
    yield "ready", result_of(group.ready()) != []
    yield "waits", group.wait(PATIENCE_S)
    yield "bundles", [group.bundle_count, group.bundle_specs]
    yield "free beside it", until(lambda: ray.available_resources().get("CPU") == 2.0)
    inside = strategies.PlacementGroupSchedulingStrategy(placement_group=group, placement_group_bundle_index=0)
    yield "a task in it", ray.get(square.options(num_cpus=1, scheduling_strategy=inside).remote(3))
    yield "knows", ray.get(group_of.options(num_cpus=1, scheduling_strategy=inside).remote()) == group.id.hex()
    anywhere = strategies.PlacementGroupSchedulingStrategy(group)
    yield (
        "anywhere in it",
        ray.get(group_of.options(num_cpus=1, scheduling_strategy=anywhere).remote()) == group.id.hex(),
    )
    yield (
        "a bundle that is not",
        caught(
            lambda: square.options(scheduling_strategy=strategies.PlacementGroupSchedulingStrategy(group, 5)).remote(1)
        ),
    )
    actor = Plain.options(num_cpus=1, scheduling_strategy=inside).remote()
    yield "an actor in it", ray.get(actor.group.remote()) == group.id.hex()
    yield "its tasks are not, unless said", ray.get(actor.child_group.remote()) == group.id.hex()
    capturing = strategies.PlacementGroupSchedulingStrategy(group, 1, placement_group_capture_child_tasks=True)
    other = Plain.options(num_cpus=0, scheduling_strategy=capturing).remote()
    yield "when they are captured", ray.get(other.child_group.remote()) == group.id.hex()
    yield "outside", ray.util.get_current_placement_group() is None
    table = groups.placement_group_table(group)
    yield (
        "its row",
        sorted(
            set(table) & {"placement_group_id", "name", "bundles", "bundles_to_node_id", "strategy", "state", "stats"}
        ),
    )
    yield "its state", [table["state"], table["strategy"], table["name"]]
    yield "its bundles", {str(index): bundle for index, bundle in table["bundles"].items()}
    yield "in the table", group.id.hex() in groups.placement_group_table()
    yield "by name", groups.get_placement_group("a group").id.hex() == group.id.hex()
    yield "no such name", caught(lambda: groups.get_placement_group("nothing"))
    groups.remove_placement_group(group)
    yield "its actors end", until(lambda: is_raised(result_of(actor.one.remote()), "RayActorError"))
    yield "its state afterwards", until(lambda: groups.placement_group_table(group)["state"] == "REMOVED")
    yield "all is free again", until(lambda: ray.available_resources().get("CPU") == 4.0)


def made(*args: Any, **options: Any) -> str:
    group = groups.placement_group(*args, **options)
    groups.remove_placement_group(group)
    return "a group"


def bad_groups() -> Sights:
    """Groups that make no sense."""
    yield "no bundles", caught(lambda: made([]))
    yield "an empty bundle", caught(lambda: made([{}]))
    yield "zeros", caught(lambda: made([{"CPU": 0}]))
    yield "no such strategy", caught(lambda: made([{"CPU": 1}], strategy="NO"))
    yield "no list", caught(lambda: made({"CPU": 1}))
    yield "no such lifetime", caught(lambda: made([{"CPU": 1}], lifetime="long"))
    yield "a negative amount", caught(lambda: made([{"CPU": -1}]))
    too_large = groups.placement_group([{"CPU": 1000}])
    yield "too large", caught(lambda: too_large.wait(10))
    groups.remove_placement_group(too_large)
    empty = groups.placement_group([{"CPU": 1}, {"CPU": 1}], strategy="STRICT_SPREAD")
    yield "spread over one node", caught(lambda: empty.wait(10))
    groups.remove_placement_group(empty)


def context() -> Sights:
    """Code knows what it is."""

    @ray.remote(num_cpus=2)
    def about() -> Any:
        here = ray.get_runtime_context()
        return {
            "node": here.get_node_id(),
            "job": here.get_job_id(),
            "actor": here.get_actor_id(),
            "task": isinstance(here.get_task_id(), str),
            "name": here.get_task_name(),
            "function": here.get_task_function_name(),
            "resources": here.get_assigned_resources(),
            "worker": isinstance(here.get_worker_id(), str),
            "group": here.get_placement_group_id(),
            "captures": here.should_capture_child_tasks_in_placement_group,
            "namespace": here.namespace,
        }

    @ray.remote
    class Knows:
        def about(self) -> Any:
            here = ray.get_runtime_context()
            return {
                "actor": here.get_actor_id(),
                "name": here.get_actor_name(),
                "resources": here.get_assigned_resources(),
                "reconstructed": here.was_current_actor_reconstructed,
                "task": isinstance(here.get_task_id(), str),
                "task name": here.get_task_name(),
                "itself": here.current_actor,
            }

        def outside(self) -> Any:
            return caught(lambda: str(ray.get_runtime_context().was_current_actor_reconstructed))

    here = ray.get_runtime_context()
    seen = ray.get(about.remote())
    yield "the same node", seen.pop("node") == here.get_node_id()
    yield "the same job", seen.pop("job") == here.get_job_id()
    yield "the same namespace", seen.pop("namespace") == here.namespace
    yield "a task", seen
    yield "a named task", ray.get(about.options(name="other").remote())["name"]
    actor = Knows.options(name="knows").remote()
    seen = ray.get(actor.about.remote())
    yield "its id", seen.pop("actor") == actor._actor_id.hex()
    yield "itself", seen.pop("itself") == actor
    yield "an actor", seen
    yield "without a name", ray.get(Knows.remote().about.remote())["name"]
    yield (
        "with resources",
        ray.get(Knows.options(num_cpus=1, resources={"widget": 1}).remote().about.remote())["resources"],
    )
    yield (
        "the driver's",
        [
            here.get_actor_id(),
            here.get_actor_name(),
            here.get_placement_group_id(),
            isinstance(here.get_worker_id(), str),
        ],
    )
    yield "the driver is no actor", caught(lambda: str(here.current_actor))
    yield "labels", here.get_node_labels()["zone"]
    yield "ids are text", [isinstance(here.get_job_id(), str), bytes.fromhex(here.get_node_id()) != b""]
    yield (
        "deprecated forms",
        [
            here.node_id.hex() == here.get_node_id() if hasattr(here.node_id, "hex") else None,
            isinstance(here.get(), dict),
        ],
    )
    yield (
        "other getters",
        [
            isinstance(here.get_session_name(), str),
            isinstance(here.gcs_address, str),
            here.get_accelerator_ids(),
            isinstance(here.get_runtime_env_string(), str),
            isinstance(here.get_temp_dir(), str),
            type(here.runtime_env).__name__ != "",
        ],
    )
    yield "gpus", ray.get_gpu_ids()


def cluster() -> Sights:
    """What there is."""
    until(lambda: ray.nodes()[0]["Resources"].get("CPU") == 4.0)
    rows = ray.nodes()
    yield "one node", len(rows)
    yield (
        "its row",
        sorted(
            set(rows[0])
            & {
                "NodeID",
                "Alive",
                "NodeManagerAddress",
                "NodeManagerHostname",
                "NodeManagerPort",
                "ObjectManagerPort",
                "ObjectStoreSocketName",
                "RayletSocketName",
                "MetricsExportPort",
                "NodeName",
                "alive",
                "Resources",
                "Labels",
            }
        ),
    )
    yield "alive", [rows[0]["Alive"], rows[0]["alive"]]
    yield "is this one", rows[0]["NodeID"] == ray.get_runtime_context().get_node_id()
    yield "what it offers", {name: rows[0]["Resources"][name] for name in ("CPU", "widget")}
    yield "memory", [name in ray.cluster_resources() for name in ("memory", "object_store_memory")]
    yield "labelled", rows[0]["Labels"]["zone"]
    yield "this process", [ray.is_initialized(), os.getpid() > 0]
    yield "an address of it", any(name.startswith("node:") for name in ray.cluster_resources())


PROGRAMS = (strategies_by_name, placement_groups, bad_groups, context, cluster)
