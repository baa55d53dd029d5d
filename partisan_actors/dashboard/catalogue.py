"""Everything that can be asked of the dashboard, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import partisan_actors
from partisan_actors.dashboard.action_views import ACTION_ENDPOINTS
from partisan_actors.dashboard.actor_views import ACTOR_ENDPOINTS
from partisan_actors.dashboard.broadcast_views import BROADCAST_ENDPOINTS
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.event_views import EVENT_ENDPOINTS
from partisan_actors.dashboard.exposition_view import EXPOSITION_ENDPOINTS
from partisan_actors.dashboard.fault_views import FAULT_ENDPOINTS
from partisan_actors.dashboard.health_views import HEALTH_ENDPOINTS
from partisan_actors.dashboard.inside_views import INSIDE_ENDPOINTS
from partisan_actors.dashboard.jaeger import JAEGER_ENDPOINTS
from partisan_actors.dashboard.log_views import LOG_ENDPOINTS
from partisan_actors.dashboard.measures import MEASURE_ENDPOINTS
from partisan_actors.dashboard.node_views import NODE_ENDPOINTS
from partisan_actors.dashboard.openapi import openapi
from partisan_actors.dashboard.overlay_views import OVERLAY_ENDPOINTS
from partisan_actors.dashboard.schemas import record
from partisan_actors.dashboard.store_views import STORE_ENDPOINTS
from partisan_actors.dashboard.trace_views import TRACE_ENDPOINTS
from partisan_actors.dashboard.tree_views import TREE_ENDPOINTS

__all__ = ["ENDPOINTS"]


async def session(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the page needs to know of itself."""
    return {
        "cluster": desk.watcher.cluster,
        "read_only": not given["may_act"],
        "csrf": given["csrf"],
        "may_sign_out": bool(desk.options.token) and given["csrf"] is not None,
        "version": partisan_actors.__version__,
        "jaeger_url": desk.options.jaeger_url,
    }


async def document(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """This table, for programs."""
    return openapi(ENDPOINTS, partisan_actors.__version__)


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *HEALTH_ENDPOINTS,
    *NODE_ENDPOINTS,
    *OVERLAY_ENDPOINTS,
    *BROADCAST_ENDPOINTS,
    *ACTOR_ENDPOINTS,
    *TREE_ENDPOINTS,
    *MEASURE_ENDPOINTS,
    *STORE_ENDPOINTS,
    *EXPOSITION_ENDPOINTS,
    *LOG_ENDPOINTS,
    *EVENT_ENDPOINTS,
    *TRACE_ENDPOINTS,
    *JAEGER_ENDPOINTS,
    *ACTION_ENDPOINTS,
    *FAULT_ENDPOINTS,
    *INSIDE_ENDPOINTS,
    Endpoint(
        "/api/v1/session",
        "What the page needs to know of itself.",
        session,
        record(
            {
                "cluster": "text: the name of the cluster",
                "read_only": "flag: whether actions are refused",
                "csrf": "text?: what actions have to show; null without a session",
                "may_sign_out": "flag: whether there is a session that began with a token, which POST /logout ends",
                "version": "text: of partisan_actors",
                "jaeger_url": "text: where a Jaeger's UI shows the same traces, or empty",
            }
        ),
        "page",
    ),
    Endpoint("/api/v1/openapi.json", "This document.", document, {"type": "object"}, "page"),
)
