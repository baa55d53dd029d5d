"""Distributed tasks and actors whose messages travel over a Partisan overlay. Start with `init`, `actor` and `task`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partisan_actors.actors.down import Down, Exit
    from partisan_actors.actors.subscriptions import Subscription
    from partisan_actors.api import metrics
    from partisan_actors.api.actor import ActorClass, ActorHandle, actor
    from partisan_actors.api.actor_states import list_actors, list_tasks
    from partisan_actors.api.call_rows import list_calls, list_methods
    from partisan_actors.api.cancel import cancel
    from partisan_actors.api.cluster import available_resources, cluster_resources, nodes
    from partisan_actors.api.configured import ConfiguredMethod, StreamMethod
    from partisan_actors.api.deadlocks import deadlocks
    from partisan_actors.api.drains import drain, undrain
    from partisan_actors.api.events import NodeEvent, NodeEvents, node_events, on_node_down, on_node_up
    from partisan_actors.api.fault_rules import faults
    from partisan_actors.api.forwarding import forward, on_message
    from partisan_actors.api.gpus import get_gpu_ids
    from partisan_actors.api.groups import (
        PlacementGroup,
        get_current_placement_group,
        get_placement_group,
        placement_group,
        placement_group_table,
        remove_placement_group,
    )
    from partisan_actors.api.handles import with_options
    from partisan_actors.api.log_fields import JsonFormatter, LogFields, TextFormatter
    from partisan_actors.api.membership import evict, join, leave, update_members
    from partisan_actors.api.methods import AckedMethod, ActorMethod
    from partisan_actors.api.monitors import (
        MonitorRef,
        current_actor,
        demonitor,
        exit,
        exit_actor,
        link,
        monitor,
        unlink,
    )
    from partisan_actors.api.namespaces import list_named_actors
    from partisan_actors.api.object_states import list_objects
    from partisan_actors.api.progress import Progress, progress
    from partisan_actors.api.remote_calls import NodeResult, multicall, multicall_async, rpc
    from partisan_actors.api.replays import record, replay
    from partisan_actors.api.results import (
        as_completed,
        get,
        get_actor,
        get_actor_async,
        kill,
        object_locations,
        put,
        terminate,
        wait,
    )
    from partisan_actors.api.runtime_context import RuntimeContext, get_runtime_context
    from partisan_actors.api.session import Session, init, is_initialized, shutdown
    from partisan_actors.api.task import RemoteFunction, StreamFunction, task
    from partisan_actors.api.texts import parse_ref
    from partisan_actors.api.timeline import timeline
    from partisan_actors.api.timers import Timer, send_after
    from partisan_actors.api.topics import broadcast, subscribe
    from partisan_actors.api.typed import method, typed
    from partisan_actors.api.why import Why, why
    from partisan_actors.errors import (
        ActorError,
        ActorExists,
        ActorGroupRemoved,
        ActorNodeDown,
        ActorNotFound,
        ActorStopped,
        ActorUnavailable,
        AuthenticationError,
        CallTimeout,
        ConfigError,
        Deadlocked,
        MailboxFull,
        NodeDown,
        NodeError,
        NoRoute,
        NotYetConnected,
        ObjectLost,
        ObjectStoreFull,
        Overloaded,
        PartisanError,
        PlacementGroupRemoved,
        ReplayMismatch,
        RuntimeEnvFailed,
        SerializationError,
        TaskCancelled,
        TaskFailed,
        TooManyCalls,
        Unacknowledged,
        Unplaceable,
        WorkerCrashed,
    )
    from partisan_actors.ids import MonitorId, NodeId
    from partisan_actors.node.delivery_options import DeliveryOptions
    from partisan_actors.node.forward_options import ForwardOptions
    from partisan_actors.node.tls import TlsFiles
    from partisan_actors.objects.locations import ObjectLocation
    from partisan_actors.objects.ref import ObjectRef
    from partisan_actors.objects.stream import ObjectRefGenerator
    from partisan_actors.scheduler.labels import DoesNotExist, Exists, In, NotIn
    from partisan_actors.scheduler.strategies import InPlacementGroup, NodeAffinity, NodeLabels
    from partisan_actors.tasks.draining import Drained
    from partisan_actors.telemetry.tracing import TracingOptions
    from partisan_actors.wire.channels import ChannelOptions

__version__ = "0.1.0"

_ERRORS = "partisan_actors.errors"

# Where each public name is defined. Imported on first use, because start-up time is a feature.
_HOMES = {
    "AckedMethod": "partisan_actors.api.methods",
    "ActorClass": "partisan_actors.api.actor",
    "ActorError": _ERRORS,
    "ActorExists": _ERRORS,
    "ActorGroupRemoved": _ERRORS,
    "ActorHandle": "partisan_actors.api.actor",
    "ActorMethod": "partisan_actors.api.methods",
    "ActorNodeDown": _ERRORS,
    "ActorNotFound": _ERRORS,
    "ActorStopped": _ERRORS,
    "ActorUnavailable": _ERRORS,
    "AuthenticationError": _ERRORS,
    "CallTimeout": _ERRORS,
    "Deadlocked": _ERRORS,
    "ChannelOptions": "partisan_actors.wire.channels",
    "ConfigError": _ERRORS,
    "ConfiguredMethod": "partisan_actors.api.configured",
    "DeliveryOptions": "partisan_actors.node.delivery_options",
    "DoesNotExist": "partisan_actors.scheduler.labels",
    "Down": "partisan_actors.actors.down",
    "Drained": "partisan_actors.tasks.draining",
    "Exists": "partisan_actors.scheduler.labels",
    "Exit": "partisan_actors.actors.down",
    "ForwardOptions": "partisan_actors.node.forward_options",
    "In": "partisan_actors.scheduler.labels",
    "InPlacementGroup": "partisan_actors.scheduler.strategies",
    "JsonFormatter": "partisan_actors.api.log_fields",
    "LogFields": "partisan_actors.api.log_fields",
    "MailboxFull": _ERRORS,
    "MonitorId": "partisan_actors.ids",
    "MonitorRef": "partisan_actors.api.monitors",
    "NoRoute": _ERRORS,
    "NodeAffinity": "partisan_actors.scheduler.strategies",
    "NodeDown": _ERRORS,
    "NodeError": _ERRORS,
    "NodeEvent": "partisan_actors.api.events",
    "NodeEvents": "partisan_actors.api.events",
    "NodeId": "partisan_actors.ids",
    "NodeLabels": "partisan_actors.scheduler.strategies",
    "NodeResult": "partisan_actors.api.remote_calls",
    "NotIn": "partisan_actors.scheduler.labels",
    "NotYetConnected": _ERRORS,
    "ObjectLocation": "partisan_actors.objects.locations",
    "ObjectLost": _ERRORS,
    "ObjectRef": "partisan_actors.objects.ref",
    "ObjectRefGenerator": "partisan_actors.objects.stream",
    "ObjectStoreFull": _ERRORS,
    "Overloaded": _ERRORS,
    "PartisanError": _ERRORS,
    "PlacementGroup": "partisan_actors.api.groups",
    "PlacementGroupRemoved": _ERRORS,
    "Progress": "partisan_actors.api.progress",
    "RemoteFunction": "partisan_actors.api.task",
    "ReplayMismatch": _ERRORS,
    "RuntimeContext": "partisan_actors.api.runtime_context",
    "RuntimeEnvFailed": _ERRORS,
    "SerializationError": _ERRORS,
    "Session": "partisan_actors.api.session",
    "StreamFunction": "partisan_actors.api.task",
    "StreamMethod": "partisan_actors.api.configured",
    "Subscription": "partisan_actors.actors.subscriptions",
    "TaskCancelled": _ERRORS,
    "TaskFailed": _ERRORS,
    "TextFormatter": "partisan_actors.api.log_fields",
    "Timer": "partisan_actors.api.timers",
    "TlsFiles": "partisan_actors.node.tls",
    "TooManyCalls": _ERRORS,
    "TracingOptions": "partisan_actors.telemetry.tracing",
    "Unacknowledged": _ERRORS,
    "Unplaceable": _ERRORS,
    "Why": "partisan_actors.api.why",
    "WorkerCrashed": _ERRORS,
    "actor": "partisan_actors.api.actor",
    "as_completed": "partisan_actors.api.results",
    "available_resources": "partisan_actors.api.cluster",
    "broadcast": "partisan_actors.api.topics",
    "cancel": "partisan_actors.api.cancel",
    "cluster_resources": "partisan_actors.api.cluster",
    "current_actor": "partisan_actors.api.monitors",
    "deadlocks": "partisan_actors.api.deadlocks",
    "demonitor": "partisan_actors.api.monitors",
    "drain": "partisan_actors.api.drains",
    "evict": "partisan_actors.api.membership",
    "exit": "partisan_actors.api.monitors",
    "exit_actor": "partisan_actors.api.monitors",
    "faults": "partisan_actors.api.fault_rules",
    "forward": "partisan_actors.api.forwarding",
    "get": "partisan_actors.api.results",
    "get_actor": "partisan_actors.api.results",
    "get_actor_async": "partisan_actors.api.results",
    "get_current_placement_group": "partisan_actors.api.groups",
    "get_gpu_ids": "partisan_actors.api.gpus",
    "get_placement_group": "partisan_actors.api.groups",
    "get_runtime_context": "partisan_actors.api.runtime_context",
    "init": "partisan_actors.api.session",
    "is_initialized": "partisan_actors.api.session",
    "join": "partisan_actors.api.membership",
    "kill": "partisan_actors.api.results",
    "leave": "partisan_actors.api.membership",
    "link": "partisan_actors.api.monitors",
    "list_actors": "partisan_actors.api.actor_states",
    "list_named_actors": "partisan_actors.api.namespaces",
    "list_objects": "partisan_actors.api.object_states",
    "list_calls": "partisan_actors.api.call_rows",
    "list_methods": "partisan_actors.api.call_rows",
    "list_tasks": "partisan_actors.api.actor_states",
    "method": "partisan_actors.api.typed",
    "metrics": "partisan_actors.api.metrics",
    "monitor": "partisan_actors.api.monitors",
    "multicall": "partisan_actors.api.remote_calls",
    "multicall_async": "partisan_actors.api.remote_calls",
    "node_events": "partisan_actors.api.events",
    "nodes": "partisan_actors.api.cluster",
    "object_locations": "partisan_actors.api.results",
    "on_message": "partisan_actors.api.forwarding",
    "on_node_down": "partisan_actors.api.events",
    "on_node_up": "partisan_actors.api.events",
    "parse_ref": "partisan_actors.api.texts",
    "placement_group": "partisan_actors.api.groups",
    "placement_group_table": "partisan_actors.api.groups",
    "progress": "partisan_actors.api.progress",
    "put": "partisan_actors.api.results",
    "record": "partisan_actors.api.replays",
    "remove_placement_group": "partisan_actors.api.groups",
    "replay": "partisan_actors.api.replays",
    "rpc": "partisan_actors.api.remote_calls",
    "send_after": "partisan_actors.api.timers",
    "shutdown": "partisan_actors.api.session",
    "subscribe": "partisan_actors.api.topics",
    "task": "partisan_actors.api.task",
    "timeline": "partisan_actors.api.timeline",
    "terminate": "partisan_actors.api.results",
    "typed": "partisan_actors.api.typed",
    "undrain": "partisan_actors.api.drains",
    "unlink": "partisan_actors.api.monitors",
    "update_members": "partisan_actors.api.membership",
    "wait": "partisan_actors.api.results",
    "why": "partisan_actors.api.why",
    "with_options": "partisan_actors.api.handles",
}

# The keys of _HOMES: written out, because type checkers export only what they can read here.
__all__ = [
    "AckedMethod",
    "ActorClass",
    "ActorError",
    "ActorExists",
    "ActorGroupRemoved",
    "ActorHandle",
    "ActorMethod",
    "ActorNodeDown",
    "ActorNotFound",
    "ActorStopped",
    "ActorUnavailable",
    "AuthenticationError",
    "CallTimeout",
    "Deadlocked",
    "ChannelOptions",
    "ConfigError",
    "ConfiguredMethod",
    "DeliveryOptions",
    "DoesNotExist",
    "Down",
    "Drained",
    "Exists",
    "Exit",
    "ForwardOptions",
    "In",
    "InPlacementGroup",
    "JsonFormatter",
    "LogFields",
    "MailboxFull",
    "MonitorId",
    "MonitorRef",
    "NoRoute",
    "NodeAffinity",
    "NodeDown",
    "NodeError",
    "NodeEvent",
    "NodeEvents",
    "NodeId",
    "NodeLabels",
    "NodeResult",
    "NotIn",
    "NotYetConnected",
    "ObjectLocation",
    "ObjectLost",
    "ObjectRef",
    "ObjectRefGenerator",
    "ObjectStoreFull",
    "Overloaded",
    "PartisanError",
    "PlacementGroup",
    "PlacementGroupRemoved",
    "Progress",
    "RemoteFunction",
    "ReplayMismatch",
    "RuntimeContext",
    "RuntimeEnvFailed",
    "SerializationError",
    "Session",
    "StreamFunction",
    "StreamMethod",
    "Subscription",
    "TaskCancelled",
    "TaskFailed",
    "TextFormatter",
    "Timer",
    "TlsFiles",
    "TooManyCalls",
    "TracingOptions",
    "Unacknowledged",
    "Unplaceable",
    "Why",
    "WorkerCrashed",
    "actor",
    "as_completed",
    "available_resources",
    "broadcast",
    "cancel",
    "cluster_resources",
    "current_actor",
    "deadlocks",
    "demonitor",
    "drain",
    "evict",
    "exit",
    "exit_actor",
    "faults",
    "forward",
    "get",
    "get_actor",
    "get_actor_async",
    "get_current_placement_group",
    "get_gpu_ids",
    "get_placement_group",
    "get_runtime_context",
    "init",
    "is_initialized",
    "join",
    "kill",
    "leave",
    "link",
    "list_actors",
    "list_named_actors",
    "list_objects",
    "list_calls",
    "list_methods",
    "list_tasks",
    "method",
    "metrics",
    "monitor",
    "multicall",
    "multicall_async",
    "node_events",
    "nodes",
    "object_locations",
    "on_message",
    "on_node_down",
    "on_node_up",
    "parse_ref",
    "placement_group",
    "placement_group_table",
    "progress",
    "put",
    "record",
    "remove_placement_group",
    "replay",
    "rpc",
    "send_after",
    "shutdown",
    "subscribe",
    "task",
    "timeline",
    "terminate",
    "typed",
    "undrain",
    "unlink",
    "update_members",
    "wait",
    "why",
    "with_options",
]


if not TYPE_CHECKING:  # a type checker knows the names above, and that there are no others

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        value = getattr(importlib.import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
