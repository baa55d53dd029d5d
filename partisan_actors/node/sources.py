"""Where the settings of a node come from, in words: for people who ask why a node is as it is."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.cookie import COOKIE_VARIABLE, cookie_path, read_cookie
from partisan_actors.node.tls import DIRECTORY_VARIABLE, VARIABLES, TlsFiles, find_tls

__all__ = ["DEFAULT", "GIVEN", "source_of", "with_source"]

DEFAULT: Final = "default"
# By whoever made the node: a program that called `init`, or another node.
GIVEN: Final = "given"

_DRAWN: Final = r"(node|driver|local)-[0-9a-f]{8}"


def source_of(config: NodeConfig, name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Where the value of that field of `config` comes from: as `config.sources` says, or as far as can be told."""
    told = config.sources.get(name)
    if told is not None:
        return told
    value = getattr(config, name)
    if name in ("name", "cluster") and re.fullmatch(_DRAWN, value):
        return "drawn at random"
    if value == _default_of(name):
        return DEFAULT
    if name == "cookie":
        return _source_of_cookie(value, environ)
    if name == "tls":
        return _source_of_tls(value, environ)
    return GIVEN


def with_source(before: NodeConfig, after: NodeConfig, source: str) -> NodeConfig:
    """`after`, which says of each field that is not as in `before` that it is from there."""
    changed = {
        field.name: source
        for field in fields(NodeConfig)
        if field.name != "sources" and getattr(before, field.name) != getattr(after, field.name)
    }
    return replace(after, sources={**after.sources, **changed}) if changed else after


def _default_of(name: str) -> Any:
    (field,) = (field for field in fields(NodeConfig) if field.name == name)
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else None


def _source_of_cookie(cookie: bytes, environ: Mapping[str, str]) -> str:
    if environ.get(COOKIE_VARIABLE, "").encode() == cookie:
        return f"environment {COOKIE_VARIABLE}"
    try:
        path = cookie_path()
        is_from_file = path.exists() and read_cookie() == cookie
    except (ConfigError, OSError):
        return GIVEN
    return f"file {path}" if is_from_file else GIVEN


def _source_of_tls(files: TlsFiles, environ: Mapping[str, str]) -> str:
    try:
        is_from_environment = find_tls(None, environ) == files
    except ConfigError:
        return GIVEN
    if not is_from_environment:
        return GIVEN
    return f"environment {DIRECTORY_VARIABLE if environ.get(DIRECTORY_VARIABLE) else ', '.join(VARIABLES)}"
