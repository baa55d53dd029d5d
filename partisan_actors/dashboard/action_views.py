"""What can be done from the dashboard: end actors or have them made again, start, drain and stop nodes, resend letters.

Each is logged here, as `audit: ...`, with who asked; and by the node, which tells of it in its feed of events as well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from partisan_actors.api.control import CONTROL
from partisan_actors.api.steering import STEERING
from partisan_actors.dashboard.actor_views import ACTOR, actor_row
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.node_views import NODE
from partisan_actors.dashboard.parameters import Integer, Parameter, Text
from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.schemas import record
from partisan_actors.tasks.draining import DRAIN, DRAIN_GRACE_S

__all__ = ["ACTION_ENDPOINTS", "AUDIT"]

logger = logging.getLogger(__name__)

AUDIT: Final = "audit: %s %s"
DRAIN_S_MAX: Final = 3600
# A node is given 30 s to come up.
START_S: Final = 40.0

_DONE: Final = record({"done": "flag: whether it is done already", "text": "text: what was or is being done"})


def _on_actor(method: str, text: str) -> Callable[[Desk, Mapping[str, Any]], Awaitable[Any]]:
    async def act(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
        row = await actor_row(desk, given["id"])
        if row["state"] in ("stopped", "stopping"):
            raise Problem(409, f"{row['class']} {row['id']} is {row['state']}")
        what = f"{text} {row['class']} {row['id']} on node {row['node']}"
        logger.warning(AUDIT, given["who"], what)
        await desk.watcher.act(row["node"], STEERING, method, row["id"], given["who"])
        return {"done": method != "stop", "text": what}

    return act


async def drain(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Begin to drain a node. It takes its time: the row of the node says `draining` meanwhile."""
    name, timeout_s = given["name"], given["timeout"]
    row = await desk.watcher.row_of(name)
    if row["state"] not in ("up", "suspect"):
        raise Problem(409, f"node {name} is {row['state']}")
    if name in desk.jobs:
        raise Problem(409, f"node {name} is being drained already")
    what = f"drains node {name}, for at most {timeout_s} s"
    logger.warning(AUDIT, given["who"], what)
    await desk.watcher.act(name, STEERING, "note", "asks to drain", given["who"])

    async def job() -> None:
        try:
            patience_s = timeout_s + 2 * DRAIN_GRACE_S
            answer = await desk.watcher.act(name, DRAIN, "drain", float(timeout_s), timeout_s=patience_s)
            logger.warning(AUDIT, given["who"], f"has drained node {answer[0]}: {answer[1]} moved, {answer[2]} ended")
        except Problem as problem:
            logger.warning(AUDIT, given["who"], f"could not drain node {name}: {problem.detail}")
        finally:
            del desk.jobs[name]

    desk.jobs[name] = asyncio.create_task(job(), name=f"drain {name}")
    return {"done": False, "text": what}


async def stop_node(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Have the process of a node leave the cluster and end. Raises Problem for one that belongs to a program."""
    name = given["name"]
    what = f"stops node {name}"
    await desk.watcher.row_of(name)
    logger.warning(AUDIT, given["who"], what)
    await desk.watcher.act(name, STEERING, "note", "asks to stop", given["who"])
    answer = await desk.watcher.act(name, CONTROL, "stop")
    if not answer["stops"]:
        raise Problem(409, f"node {name} belongs to a program (process {answer['pid']} on {answer['host']})")
    return {"done": False, "text": what}


async def start_node(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Have a node start another one beside it. Raises Problem for one that starts no others, or when it fails."""
    name = given["name"]
    await desk.watcher.row_of(name)
    logger.warning(AUDIT, given["who"], f"has node {name} start another one")
    await desk.watcher.act(name, STEERING, "note", "asks for another node beside", given["who"])
    answer = await desk.watcher.act(name, CONTROL, "start", timeout_s=START_S)
    return {"done": True, "text": f"node {answer['name']} is up on {answer['host']}"}


async def resend(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Send a dead letter again, to the actor that it was for or to another one. Raises Problem when that has ended."""
    name, target = given["name"], await actor_row(desk, given["to"])
    if target["state"] in ("stopped", "stopping"):
        raise Problem(409, f"{target['class']} {target['id']} is {target['state']}: choose another actor")
    host = await desk.watcher.row_of(target["node"])
    what = f"sends dead letter {given['number']} of node {name} again, to {target['class']} {target['id']}"
    logger.warning(AUDIT, given["who"], what)
    about = (given["number"], target["id"], target["class"], host["id"], given["who"])
    sent = await desk.watcher.act(name, STEERING, "resend", *about)
    return {"done": False, "text": f"{sent['method']} was sent again, to {target['class']} {target['id']}"}


ACTION_ENDPOINTS: Final = (
    *(
        Endpoint(
            f"/api/v1/actors/{{id}}/{method}",
            summary,
            _on_actor(method, text),
            _DONE,
            "actions",
            (ACTOR,),
            is_action=True,
            problems=(404, 409),
        )
        for method, text, summary in (
            ("kill", "kills", "End an actor now, for good."),
            ("stop", "stops", "Have an actor end when it has done what waits in its mailbox."),
            ("restart", "restarts", "End an actor now and have it made again; only for one that may be."),
        )
    ),
    Endpoint(
        "/api/v1/nodes/{name}/drain",
        "Empty a node, and end it if `partisan start` runs it.",
        drain,
        _DONE,
        "actions",
        (NODE, Parameter("timeout", Integer(0, DRAIN_S_MAX), "How many seconds work may take to end.", 60)),
        is_action=True,
        problems=(404, 409),
    ),
    Endpoint(
        "/api/v1/nodes/{name}/start",
        "Have the first node of a `partisan start` start another one beside it.",
        start_node,
        _DONE,
        "actions",
        (NODE,),
        is_action=True,
        problems=(404, 409),
    ),
    Endpoint(
        "/api/v1/nodes/{name}/dead-letters/{number}/resend",
        "Send a message that reached nobody again, if the node has kept it.",
        resend,
        _DONE,
        "actions",
        (
            NODE,
            Parameter("number", Integer(1, 2**53), "Which one of that node.", in_path=True),
            Parameter("to", Text(200, 1), "The id of the actor that is to get it.", is_needed=True),
        ),
        is_action=True,
        problems=(404, 409),
    ),
    Endpoint(
        "/api/v1/nodes/{name}/stop",
        "Have a node that `partisan start` runs leave the cluster and end.",
        stop_node,
        _DONE,
        "actions",
        (NODE,),
        is_action=True,
        problems=(404, 409),
    ),
)
