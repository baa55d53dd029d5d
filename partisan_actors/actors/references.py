"""Ids and handles as text, and back: pure, for logs, command lines, files and other programs.

An actor's text is its id, with what helps to find it: ``actor:n1~5f3/2a?class=Counter&name=x&at=n2~5f4&restarts=1``.
All but the id may be left out. The id names a life of the node that made the actor, so it never means another actor.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from partisan_actors.errors import ConfigError
from partisan_actors.ids import ActorId, MonitorId, NodeId

__all__ = ["TEXT_MAX", "ActorText", "format_actor", "parse"]

TEXT_MAX: Final = 8192
FIELDS: Final = ("class", "name", "at", "restarts")
ALLOWED: Final = (
    "the text of an actor (actor:node~incarnation/number, perhaps with ?class=, name=, at= and restarts=), "
    "a monitor (monitor:node~incarnation/number) or a node (node~incarnation)"
)

_NODE: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,62})~([0-9a-f]{1,16})")
_NUMBERED: Final = re.compile(r"(actor|monitor):([^/?]{1,90})/([0-9a-f]{1,8})")


class ActorText(NamedTuple):
    """What the text of an actor says. `at` is the node where it was when the text was made, if that was known."""

    actor: ActorId
    class_name: str = ""
    name: str | None = None
    at: NodeId | None = None
    can_restart: bool = False


def format_actor(text: ActorText) -> str:
    """The inverse of `parse` for an actor."""
    at = str(text.at) if text.at is not None else ""
    values = (text.class_name, text.name or "", at, "1" if text.can_restart else "")
    fields = {field: value for field, value in zip(FIELDS, values, strict=True) if value}
    return f"{text.actor}?{urlencode(fields, quote_via=quote, safe='~')}" if fields else str(text.actor)


def parse(text: object) -> ActorText | MonitorId | NodeId:
    """What a text means. Raises ConfigError for what is not the text of anything."""
    shown = text if not isinstance(text, str) or len(text) <= 200 else f"{text[:200]}..."
    wrong = ConfigError("reference", shown, ALLOWED)
    if not isinstance(text, str) or len(text) > TEXT_MAX:
        raise wrong
    head, mark, query = text.partition("?")
    numbered = _NUMBERED.fullmatch(head)
    node = _node(numbered[2] if numbered is not None else head)
    if node is None or (mark and (numbered is None or numbered[1] != "actor")):
        raise wrong
    if numbered is None:
        return node
    number = int(numbered[3], 16)
    if numbered[1] == "monitor":
        return MonitorId(node, number)
    fields: dict[str, str] | None = _fields(query) if mark else {}
    at = _node(fields["at"]) if fields is not None and "at" in fields else None
    if fields is None or ("at" in fields and at is None) or fields.get("restarts", "1") != "1":
        raise wrong
    return ActorText(ActorId(node, number), fields.get("class", ""), fields.get("name"), at, "restarts" in fields)


def _node(text: str) -> NodeId | None:
    found = _NODE.fullmatch(text)
    return NodeId(found[1], int(found[2], 16)) if found is not None else None


def _fields(query: str) -> dict[str, str] | None:
    try:
        pairs = parse_qsl(query, strict_parsing=True, max_num_fields=len(FIELDS), errors="strict")
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if pairs and len(fields) == len(pairs) and fields.keys() <= set(FIELDS) else None
