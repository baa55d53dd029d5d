"""What a node or an actor is inside: stacks, profiles, and a node's settings, some of which may change."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.api.inner_states import INNER_STATES
from partisan_actors.api.profiling import PROFILES, RATE_MAX, SECONDS_MAX
from partisan_actors.api.settings import CHANGEABLE, SETTINGS
from partisan_actors.api.stacks import STACKS
from partisan_actors.dashboard.action_views import AUDIT
from partisan_actors.dashboard.actor_views import ACTOR, actor_row
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.node_views import NODE
from partisan_actors.dashboard.parameters import Integer, Parameter, Shaped, Text
from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.schemas import array, record
from partisan_actors.dashboard.watching import ACTION_S

__all__ = ["INSIDE_ENDPOINTS"]

logger = logging.getLogger(__name__)

_STACK: Final = {
    "name": "text: the thread, or the coroutine",
    "runs": "text: the method or task, or empty for our own",
    "actor": "text: the actor that it runs for, or empty",
    "method": "text: its method, or empty",
    "task": "text: the task that it runs, or empty",
    "waits_for": "texts: the results at which it stands still",
    "frames": "list: the calls, the innermost last, with file, line, text, and whether it is code of users",
}
_STACKS: Final = record(
    {
        "node": "text: which node",
        "pid": "integer: its process",
        "threads": array(_STACK),
        "coroutines": array(_STACK),
        "left_out": "integer: how many more there are",
    }
)


_PROFILE: Final = record(
    {
        "node": "text: which node",
        "pid": "integer: its process",
        "seconds": "number: for how long it was looked at",
        "samples": "integer: how often",
        "has_cpu": "flag: whether the system tells the processor time of threads",
        "cut": "integer: how many looks at places beyond the most that are kept were counted where these were called",
        "frames": array(
            {
                "parent": "integer: the place in this list of its caller; -1 for the first, which stands for all",
                "function": "text: the function, or the thread",
                "file": "text: where it is defined",
                "line": "integer: and in which line",
                "is_users": "flag: whether it is neither of the framework nor of a library",
                "samples": "integer: how often it was seen, in itself or in what it calls",
                "cpu_s": "number: the processor time that this took, in seconds",
            }
        ),
    }
)
_SETTING: Final = r"(?:log_level(?:\.[\w.]{1,150})?|tracing\.[a-z_]{1,40}|concurrency\.[\w.<>]{1,150})"
_TAKEN: Final = (
    Parameter("seconds", Integer(1, int(SECONDS_MAX)), "For how long it is looked at.", 5),
    Parameter("rate", Integer(1, RATE_MAX), "How often in a second.", 100),
)


async def node_stacks(desk: Desk, given: Mapping[str, Any]) -> Any:
    """What the threads and coroutines of a node do at this moment."""
    return await desk.watcher.ask_node(given["name"], STACKS, "node")


async def actor_stacks(desk: Desk, given: Mapping[str, Any]) -> Any:
    """What an actor runs at this moment. Raises Problem when it does not run."""
    row = await actor_row(desk, given["id"])
    if row["state"] == "stopped":
        raise Problem(409, f"{row['class']} {row['id']} has ended")
    return await desk.watcher.ask_node(row["node"], STACKS, "actor", row["id"])


async def actor_state(desk: Desk, given: Mapping[str, Any]) -> Any:
    """What an actor says of its state, by `inspect_state()`. Raises Problem where there is none, and for the ended."""
    row = await actor_row(desk, given["id"])
    if row["state"] == "stopped":
        raise Problem(409, f"{row['class']} {row['id']} has ended")
    return await desk.watcher.act(row["node"], INNER_STATES, "look", row["id"])


async def node_profile(desk: Desk, given: Mapping[str, Any]) -> Any:
    """Where the threads of a node spend their time, from now on. Raises Problem when one is being taken already."""
    return await _profile(desk, given["name"], "node", given)


async def actor_profile(desk: Desk, given: Mapping[str, Any]) -> Any:
    """Where the methods of an actor's class spend their time on its node, from now on. Raises Problem."""
    row = await actor_row(desk, given["id"])
    if row["state"] == "stopped":
        raise Problem(409, f"{row['class']} {row['id']} has ended")
    return await _profile(desk, row["node"], "actor", given, row["id"])


async def _profile(desk: Desk, node: str, method: str, given: Mapping[str, Any], *whom: str) -> Any:
    seconds = given["seconds"]
    asked = (*whom, float(seconds), given["rate"])
    return await desk.watcher.act(node, PROFILES, method, *asked, timeout_s=seconds + ACTION_S)


async def settings(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """A node's settings, where each comes from, and which may be changed while it runs."""
    rows = await desk.watcher.ask_node(given["name"], SETTINGS, "effective")
    return {"rows": rows, "changeable": dict(CHANGEABLE)}


async def change(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Change a setting of a node that runs, for as long as it does."""
    name, setting, value = given["name"], given["setting"], given["value"]
    logger.warning(AUDIT, given["who"], f"changes {setting} of node {name} to {value}")
    told = await desk.watcher.act(name, SETTINGS, "change", setting, value, given["who"].rstrip(","))
    return {"done": True, "text": f"{setting} of node {name} is {told['now']}, and was {told['before']}"}


INSIDE_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/nodes/{name}/stacks",
        "What the threads and coroutines of a node do now.",
        node_stacks,
        _STACKS,
        "nodes",
        (NODE,),
        problems=(404,),
    ),
    Endpoint(
        "/api/v1/actors/{id}/stacks",
        "What an actor runs now.",
        actor_stacks,
        _STACKS,
        "actors",
        (ACTOR,),
        problems=(404, 409),
    ),
    Endpoint(
        "/api/v1/actors/{id}/state",
        "What an actor says of its state, if its class has a method inspect_state().",
        actor_state,
        record(
            {
                "state": {"description": "what it has answered, as plain data; null when there is no answer"},
                "why": "text?: why there is none",
                "cut": "flag: whether it was too much for one answer",
            }
        ),
        "actors",
        (ACTOR,),
        problems=(404, 409),
    ),
    Endpoint(
        "/api/v1/nodes/{name}/profile",
        "Where the threads of a node spend their time, from now on: the answer takes that long.",
        node_profile,
        _PROFILE,
        "nodes",
        (NODE, *_TAKEN),
        problems=(404, 409),
    ),
    Endpoint(
        "/api/v1/actors/{id}/profile",
        "The same, of the methods of an actor's class on its node.",
        actor_profile,
        _PROFILE,
        "actors",
        (ACTOR, *_TAKEN),
        problems=(404, 409),
    ),
    Endpoint(
        "/api/v1/nodes/{name}/settings",
        "A node's settings, and where each comes from.",
        settings,
        record(
            {
                "rows": array(
                    {
                        "name": "text: the setting",
                        "value": {"description": "what it is; secrets are not told"},
                        "source": "text: where that comes from",
                        "may_change": "flag: whether it may be changed while the node runs",
                    }
                ),
                "changeable": "object: what may be changed, and what it may be",
            }
        ),
        "nodes",
        (NODE,),
        problems=(404,),
    ),
    Endpoint(
        "/api/v1/nodes/{name}/settings",
        "Change a setting of a node that runs.",
        change,
        record({"done": "flag: true", "text": "text: what it is now, and was"}),
        "actions",
        (
            NODE,
            Parameter(
                "setting",
                Shaped(_SETTING, "a setting that may be changed"),
                "Which one.",
                is_needed=True,
            ),
            Parameter("value", Text(100, 1), "What it is to be.", is_needed=True),
        ),
        is_action=True,
        problems=(404, 409),
    ),
)
