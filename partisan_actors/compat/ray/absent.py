"""What Ray has and this has not: a clear word about what to do instead, where it would be used.

Functions can be imported, and refuse to be called; what is no function, and whole modules, refuse to be imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final, NoReturn

__all__ = ["ABSENT", "MEMBERS", "NotSupported", "absent", "install", "refuse", "refuse_members", "refuser_of"]

_CLIENT: Final = "there is no client protocol: ray.init(address=...) makes this process a node"
_PYTHON: Final = "actors and tasks are Python's"
_LIBRARY: Final = "that is no part of Ray Core: use the library of your choice in actors and tasks"
_GRAPHS: Final = "call methods with the refs of other calls: values go from node to node without the driver"
_IDS: Final = "nothing has such an id here"
_TENSORS: Final = "arrays travel through shared memory, or in calls"
_JOBS: Final = "start the program itself: with ray.init(address='auto') it joins the cluster of its machine"
_SCALING: Final = "`partisan start --join` adds nodes, `partisan drain` takes them away, whoever decides to"
_CHECKED: Final = "it is checked where it is used"
_COLLECTIVE: Final = "call methods of the actors, or use the collectives of your tensor library in them"
_DEBUGGER: Final = "ray.init(local_mode=True) runs everything in this process, where breakpoint() stops"

# By name, from the outermost: what to do instead. What is said of a module holds for all that it has in Ray.
ABSENT: Final = {
    "ActorClassID": _IDS,
    "ClientBuilder": _CLIENT,
    "DynamicObjectRefGenerator": "num_returns='dynamic' gives a ref to a list of refs",
    "FunctionID": _IDS,
    "JobID": "a cluster is one job: get_runtime_context().get_job_id() is its name",
    "Language": _PYTHON,
    "SCRIPT_MODE": "all processes are nodes: get_runtime_context() tells whether an actor or a task runs",
    "UniqueID": _IDS,
    "WORKER_MODE": "all processes are nodes: get_runtime_context() tells whether an actor or a task runs",
    "actor.ActorClassInheritanceException": "classes that are decorated can be derived from",
    "air": _LIBRARY,
    "autoscaler": _SCALING,
    "client": _CLIENT,
    "client_builder": _CLIENT,
    "cluster_utils.AutoscalingCluster": _SCALING,
    "cpp_function": "actors and tasks are Python's: call C++ through a Python module",
    "cross_language": _PYTHON,
    "dag": _GRAPHS,
    "data": _LIBRARY,
    "experimental.CommunicatorMetadata": _TENSORS,
    "experimental.RDTManager": _TENSORS,
    "experimental.TensorTransportManager": _TENSORS,
    "experimental.TensorTransportMetadata": _TENSORS,
    "experimental.channel": _GRAPHS,
    "experimental.collective": _COLLECTIVE,
    "experimental.deregister_nixl_memory": _TENSORS,
    "experimental.internal_kv": "keep it in a detached actor with a name",
    "experimental.register_nixl_memory": _TENSORS,
    "experimental.register_nixl_memory_pool": _TENSORS,
    "experimental.register_tensor_transport": _TENSORS,
    "experimental.set_nixl_cuda_stream": _TENSORS,
    "experimental.set_resource": "nodes say what they offer when they start: partisan start --resource NAME=AMOUNT",
    "experimental.set_target_device_for_ref": _TENSORS,
    "experimental.set_target_for_ref": _TENSORS,
    "experimental.wait_tensor_freed": _TENSORS,
    "experimental.tqdm_ray.instance": "tqdm_ray.tqdm writes by itself",
    "internal": "what nobody refers to any more is freed by itself",
    "java_actor_class": _PYTHON,
    "java_function": _PYTHON,
    "job_config": "say namespace and runtime_env to ray.init",
    "job_submission": _JOBS,
    "llm": _LIBRARY,
    "rllib": _LIBRARY,
    "serve": _LIBRARY,
    "train": _LIBRARY,
    "tune": _LIBRARY,
    "util.accelerators.tpu": "ask for a label that your nodes have: label_selector={...}",
    "util.actor_group": "keep handles in a list, or in a ray.util.ActorPool",
    "util.annotations": "those are for Ray's own functions",
    "util.client": _CLIENT,
    "util.collective": _COLLECTIVE,
    "util.connect": _CLIENT,
    "util.dask": _LIBRARY,
    "util.debug.Suspect": "tracemalloc finds what grows",
    "util.disconnect": "ray.shutdown()",
    "util.get_node_instance_id": "give nodes labels: partisan start --label instance=NAME",
    "util.helpers": "ray.util.as_completed and ray.util.map_unordered are in ray.util",
    "util.iter": "ray.util.map_unordered and generators of tasks do that",
    "util.multiprocessing.JoinableQueue": "ray.util.queue.Queue goes between processes",
    "util.pdb": _DEBUGGER,
    "util.placement_group.check_placement_group_index": _CHECKED,
    "util.placement_group.validate_placement_group": _CHECKED,
    "util.ray_debugpy": _DEBUGGER,
    "util.rpdb": _DEBUGGER,
    "util.serialization.StandaloneSerializationContext": "cloudpickle does it",
    "util.spark": _LIBRARY,
    "util.state.StateApiClient": "the functions of ray.util.state ask any node",
    "util.state.get_log": "`partisan logs` shows what nodes have logged",
    "util.state.list_cluster_events": "`partisan events` lists them",
    "util.state.list_logs": "`partisan logs` shows what nodes have logged",
    "util.state.list_runtime_envs": "folders are shipped when they are needed, and nobody keeps a list",
    "util.tracing": "set OTEL_EXPORTER_OTLP_ENDPOINT, or say tracing to partisan_actors.init",
    "widgets": "there are none for notebooks",
    "workflow": _LIBRARY,
}

# Methods and properties of Ray's classes, by class.
_MAKES: Final = "ids are made with what they name"
_ID: Final = dict.fromkeys(("from_random", "nil", "of", "redis_shard_hash", "size"), _MAKES)
MEMBERS: Final[dict[str, dict[str, str]]] = {
    "ActorClass": {"bind": _GRAPHS},
    "ActorID": {**_ID, "job_id": "a cluster is one job"},
    "ActorMethod": {"bind": _GRAPHS},
    "NodeID": _ID,
    "ObjectRef": {
        **_ID,
        "call_site": "nobody keeps account of it; a trace of the program tells",
        "from_binary": "send the ref itself: it can be pickled",
        "from_hex": "send the ref itself: it can be pickled",
        "job_id": "a cluster is one job: get_runtime_context().get_job_id() is its name",
        "owner_address": "partisan objects tells who owns what",
        "tensor_transport": _TENSORS,
    },
    "ObjectRefGenerator": {
        "aclose": "cancel it with ray.cancel(generator)",
        "asend": "nothing can be sent into a remote generator: call another method of its actor",
        "athrow": "cancel it with ray.cancel(generator)",
    },
    "PlacementGroup": {
        "empty": "a placement group has bundles",
        "is_empty": "a placement group has bundles",
    },
    "PlacementGroupID": _ID,
    "RemoteFunction": {"bind": _GRAPHS},
    "TaskID": {
        **_ID,
        "actor_id": "calls of actors have no ids",
        "for_actor_creation_task": _MAKES,
        "for_actor_task": _MAKES,
        "for_driver_task": _MAKES,
        "for_fake_task": _MAKES,
        "for_normal_task": _MAKES,
        "job_id": "a cluster is one job",
    },
}


class NotSupported(NotImplementedError, ImportError):
    """Where Ray has something that is imported; an ImportError, too, for whoever can do without."""


def refuse(what: str, instead: str) -> NoReturn:
    """Raises NotImplementedError that names the alternative."""
    raise NotImplementedError(f"{what} is not supported: {instead}")


def absent(name: str) -> Callable[..., NoReturn]:
    """What stands for that function of Ray."""

    def refused(*_args: Any, **_kwargs: Any) -> NoReturn:
        refuse(f"ray.{name}", ABSENT[name])

    refused.__name__ = refused.__qualname__ = name
    refused.__doc__ = f"Raises NotImplementedError: {ABSENT[name]}."
    return refused


def refuser_of(module: str) -> Callable[[str], NoReturn]:
    """The `__getattr__` of a module, named from the outermost: raises NotSupported for what Ray has there."""

    def refuse_attribute(name: str) -> NoReturn:
        full = f"{module}.{name}" if module else name
        if full in ABSENT:
            raise NotSupported(f"ray.{full} is not supported: {ABSENT[full]}")
        raise AttributeError(f"module 'ray{'.' if module else ''}{module}' has no attribute {name!r}")

    return refuse_attribute


def refuse_members(cls: type, name: str) -> None:
    """Give the class, which stands for Ray's of that name, methods that refuse where Ray's has some."""
    for member, instead in MEMBERS[name].items():
        if not hasattr(cls, member):
            setattr(cls, member, _refusing(f"{name}.{member}", instead))


def _refusing(what: str, instead: str) -> Callable[..., NoReturn]:
    def refused(*_args: Any, **_kwargs: Any) -> NoReturn:
        refuse(f"ray's {what}", instead)

    return refused


class _Finder:
    """Finds no module, and says so of those that Ray has."""

    def __init__(self, package: str) -> None:
        self._prefix = f"{package}."

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """None, or NotSupported is raised. It is asked when nobody else has found the module."""
        if name.startswith(self._prefix):
            inner = name.removeprefix(self._prefix)
            if inner in ABSENT:
                raise NotSupported(f"ray.{inner} is not supported: {ABSENT[inner]}")
        return None


def install(package: str) -> None:
    """Have imports of what Ray has below `package` say what to do instead."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder(package))
