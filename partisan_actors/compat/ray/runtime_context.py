"""`ray.get_runtime_context`: what the running code is, by the names of Ray's getters."""

from __future__ import annotations

import json
import tempfile
from typing import Any

import partisan_actors as pa
from partisan_actors.compat.ray.cluster import in_rays_names
from partisan_actors.compat.ray.handles import ActorHandle, as_handle
from partisan_actors.compat.ray.identity import to_hex
from partisan_actors.compat.ray.lifecycle import ensure_session, session_environment

__all__ = ["RuntimeContext", "get_runtime_context"]


class RuntimeContext:
    """What the code that asked is. Ids are text in hexadecimal digits; None outside of actors, or of tasks."""

    def __init__(self, context: pa.RuntimeContext) -> None:
        self._context = context

    def get_job_id(self) -> str:
        """The cluster's name: that is the nearest thing to a job that there is."""
        return to_hex(self._context.cluster)

    def get_node_id(self) -> str:
        """The node that gave this a place: for an isolated actor or task, the one that its process belongs to."""
        rows = {row["name"]: row for row in pa.nodes(processes=True)}
        host = rows.get(rows.get(self._context.node_name, {}).get("hosted_by", ""))
        return to_hex(self._context.node_id if host is None else host["id"])

    def get_worker_id(self) -> str:
        """The process that runs this."""
        return to_hex(self._context.node_id)

    def get_task_id(self) -> str | None:
        """The running task."""
        return None if self._context.task_id is None else to_hex(self._context.task_id)

    def get_task_name(self) -> str | None:
        """Its name."""
        return self._context.task_name

    def get_task_function_name(self) -> str | None:
        """Its name."""
        return self._context.task_name

    def get_actor_id(self) -> str | None:
        """The running actor."""
        return None if self._context.actor_id is None else to_hex(self._context.actor_id)

    def get_actor_name(self) -> str | None:
        """The name that it was given; "" for none."""
        return None if self._context.actor_id is None else self._context.actor_name or ""

    def get_accelerator_ids(self) -> dict[str, list[str]]:
        """Those that it may use, by their kind."""
        return {"GPU": [str(number) for number in pa.get_gpu_ids()]}

    def get_session_name(self) -> str:
        """The cluster's name."""
        return self._context.cluster

    def get_temp_dir(self) -> str:
        """Where temporary files of this machine go."""
        return tempfile.gettempdir()

    def get_runtime_env_string(self) -> str:
        """What `runtime_env` says, as JSON."""
        return json.dumps(self.runtime_env)

    def get_assigned_resources(self) -> dict[str, float]:
        """What the running actor or task holds."""
        return {name: float(amount) for name, amount in in_rays_names(self._context.resources).items()}

    def get_node_labels(self) -> dict[str, str]:
        """Those of the node."""
        return dict(self._context.labels)

    def get_placement_group_id(self) -> str | None:
        """The group in which it was placed."""
        group = pa.get_current_placement_group()
        return None if group is None else to_hex(group.id)

    def is_canceled(self) -> bool:
        """Whether the running call or task was cancelled."""
        return self._context.is_cancelled()

    @property
    def namespace(self) -> str:
        """Where names of actors are made and looked for."""
        return self._context.namespace

    @property
    def current_actor(self) -> ActorHandle[Any]:
        """A handle of the running actor. Raises RuntimeError outside of actors."""
        return as_handle(pa.current_actor())

    @property
    def was_current_actor_reconstructed(self) -> bool:
        """Whether the running actor has been restarted. Raises RuntimeError outside of actors."""
        if self._context.actor_id is None:
            raise RuntimeError("was_current_actor_reconstructed is about an actor, and none runs here")
        return self._context.restarts > 0

    @property
    def should_capture_child_tasks_in_placement_group(self) -> bool:
        """Whether what the running code starts goes into its placement group."""
        return self._context.captures_children

    @property
    def runtime_env(self) -> dict[str, Any]:
        """What `ray.init` was told, in the process that told it."""
        return session_environment()

    @property
    def gcs_address(self) -> str:
        """Where this process's node can be joined."""
        (row,) = [row for row in pa.nodes(processes=True) if row["is_me"]]
        return str(row["addresses"][0])

    # ---- what Ray has for older programs ----------------------------------------------------------------------

    @property
    def job_id(self) -> str:
        """As `get_job_id`."""
        return self.get_job_id()

    @property
    def node_id(self) -> pa.NodeId:
        """As `get_node_id`, as an id."""
        return pa.NodeId.from_hex(self.get_node_id())

    @property
    def actor_id(self) -> Any:
        """The id of the running actor, or None."""
        return self._context.actor_id

    @property
    def current_placement_group_id(self) -> Any:
        """The id of the group in which the running code was placed, or None."""
        group = pa.get_current_placement_group()
        return None if group is None else group.id

    def get_resource_ids(self) -> dict[str, list[str]]:
        """As `get_accelerator_ids`."""
        return self.get_accelerator_ids()

    @property
    def task_id(self) -> Any:
        """The id of the running task, or None."""
        return self._context.task_id

    def get(self) -> dict[str, Any]:
        """Some of it by name."""
        about = {"job_id": self.job_id, "node_id": self.node_id, "namespace": self.namespace}
        more = {"actor_id": self.actor_id, "task_id": self.task_id}
        return {**about, **{name: value for name, value in more.items() if value is not None}}


def get_runtime_context() -> RuntimeContext:
    """What the running code is. Starts a session if there is none."""
    ensure_session()
    return RuntimeContext(pa.get_runtime_context())
