"""Ray Core's names over partisan_actors: ``import partisan_actors.compat.ray as ray``. See docs/coming-from-ray.md."""

from __future__ import annotations

from partisan_actors import NodeId as NodeID
from partisan_actors import ObjectRef, ObjectRefGenerator, __version__, get_gpu_ids, timeline
from partisan_actors.compat.ray import actor, exceptions, experimental, runtime_context, util
from partisan_actors.compat.ray.absent import absent, install, refuse_members, refuser_of
from partisan_actors.compat.ray.actor import method
from partisan_actors.compat.ray.cluster import available_resources, cluster_resources, nodes
from partisan_actors.compat.ray.lifecycle import init, is_initialized, shutdown
from partisan_actors.compat.ray.logging_config import LoggingConfig
from partisan_actors.compat.ray.remote_function import remote
from partisan_actors.compat.ray.runtime_context import get_runtime_context
from partisan_actors.compat.ray.values import cancel, get, get_actor, kill, put, wait
from partisan_actors.ids import ActorId as ActorID
from partisan_actors.ids import GroupId as PlacementGroupID
from partisan_actors.ids import TaskId as TaskID

__all__ = [
    "ActorID",
    "ClientBuilder",
    "LoggingConfig",
    "NodeID",
    "ObjectID",
    "ObjectRef",
    "ObjectRefGenerator",
    "PlacementGroupID",
    "TaskID",
    "WorkerID",
    "__version__",
    "actor",
    "available_resources",
    "cancel",
    "client",
    "cluster_resources",
    "cpp_function",
    "exceptions",
    "experimental",
    "get",
    "get_actor",
    "get_gpu_ids",
    "get_runtime_context",
    "init",
    "is_initialized",
    "java_actor_class",
    "java_function",
    "kill",
    "method",
    "nodes",
    "put",
    "remote",
    "runtime_context",
    "shutdown",
    "timeline",
    "util",
    "wait",
]

ObjectID = ObjectRef
WorkerID = NodeID

install(__name__)
__getattr__ = refuser_of("")
for _kind, _name in (
    (ActorID, "ActorID"),
    (NodeID, "NodeID"),
    (ObjectRef, "ObjectRef"),
    (ObjectRefGenerator, "ObjectRefGenerator"),
    (PlacementGroupID, "PlacementGroupID"),
    (TaskID, "TaskID"),
):
    refuse_members(_kind, _name)

ClientBuilder = absent("ClientBuilder")
client = absent("client")
cpp_function = absent("cpp_function")
java_actor_class = absent("java_actor_class")
java_function = absent("java_function")
