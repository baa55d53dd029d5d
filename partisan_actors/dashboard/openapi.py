"""The OpenAPI document of the dashboard's API, made of the same table that the server serves, so that it is true."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from partisan_actors.dashboard.endpoints import Endpoint
from partisan_actors.dashboard.problems import PROBLEM_TYPE

__all__ = ["openapi"]

PROBLEM_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do about it."},
        "errors": {"type": "array", "description": "The same, for clients of Jaeger."},
    },
    "required": ["type", "title", "status", "detail"],
}
# What any request may get: it says something that makes no sense, has no token, is for another host, or nobody answers.
_EVERYWHERE: Final = (400, 401, 421, 502, 503)


def openapi(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The document, for OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "partisan_actors dashboard",
            "version": version,
            "description": "What a cluster of partisan_actors is doing, as its nodes say themselves.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": PROBLEM_SCHEMA},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.method.lower()}{endpoint.path.replace('/', '_').replace('{', '').replace('}', '')}",
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "parameters": [parameter.plain() for parameter in endpoint.parameters],
        "responses": {
            "200": {
                "description": "As asked.",
                "content": {endpoint.content_type.partition(";")[0]: {"schema": dict(endpoint.answer)}},
            }
        },
    }
    statuses = {*_EVERYWHERE, *endpoint.problems, *((403,) if endpoint.is_action else ())}
    if endpoint.is_open:
        operation["security"] = []
        statuses.discard(401)
    if endpoint.takes_body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
        statuses.add(413)
    for status in sorted(statuses):
        operation["responses"][str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return operation
