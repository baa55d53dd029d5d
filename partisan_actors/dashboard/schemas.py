"""JSON schemas of what endpoints answer, from short descriptions: columns of tables and fields of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["FACTS", "array", "columns_of", "record", "table"]

# A field is described as "type: what it is"; a "?" behind the type says that it may be null.
_TYPES: Final[Mapping[str, dict[str, Any]]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "object": {"type": "object"},
    "list": {"type": "array"},
    "texts": {"type": "array", "items": {"type": "string"}},
}

FACTS: Final[Mapping[str, str]] = {
    "cluster": "text: the name of the cluster",
    "asked": "integer: how many nodes were asked",
    "answered": "integer: how many of them answered",
    "unanswered": "list: the name of each that did not, and why",
}


def record(fields: Mapping[str, str | Mapping[str, Any]], *, needed: bool = True) -> dict[str, Any]:
    """An object with these fields; others may be there, too."""
    properties = {name: _field(about) for name, about in fields.items()}
    required = {"required": list(fields)} if needed and fields else {}
    return {"type": "object", "properties": properties, **required}


def array(fields: Mapping[str, str | Mapping[str, Any]]) -> dict[str, Any]:
    """A list of such objects."""
    return {"type": "array", "items": record(fields, needed=False)}


def table(columns: Mapping[str, str], **more: str) -> dict[str, Any]:
    """A page of a table, as `paging.page` makes it, and how complete it is."""
    return record(
        {
            **FACTS,
            **more,
            "total": "integer: how many rows there are in all",
            "offset": "integer: how many come before these",
            "limit": "integer: how many there are here at most",
            "rows": array(columns),
        }
    )


def columns_of(endpoint_answer: Mapping[str, Any]) -> list[str]:
    """The columns of a table's schema."""
    return list(endpoint_answer["properties"]["rows"]["items"]["properties"])


def _field(about: str | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(about, str):
        return dict(about)
    kind, _, text = about.partition(": ")
    schema = dict(_TYPES[kind.removesuffix("?")])
    if kind.endswith("?"):
        schema["type"] = [schema["type"], "null"]
    return {**schema, "description": text}
