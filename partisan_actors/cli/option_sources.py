"""Where the settings come from that `partisan start` gives its nodes, for `partisan config`."""

from __future__ import annotations

from typing import Final

import click
from click.core import ParameterSource

from partisan_actors.node.sources import DEFAULT

__all__ = ["option_sources"]

# The settings that are not named like the options that make them.
_SETTINGS: Final = {
    "causal_labels": "delivery",
    "delivery_options": "delivery",
    "port": "bind",
    "object_store_memory": "object_store_bytes_max",
    "no_shared_memory": "shared_memory",
    "cookie_file": "cookie",
    "tls_dir": "tls",
    "no_tracing": "tracing",
}
# What differs from the default of a node although nobody has said so.
_OUR_DEFAULTS: Final = ("bind", "resources", "log_level")


def option_sources(context: click.Context) -> dict[str, str]:
    """By setting, the option that was given for it."""
    found = dict.fromkeys(_OUR_DEFAULTS, DEFAULT)
    for parameter in context.command.params:
        name = str(parameter.name)
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            found[_SETTINGS.get(name, name)] = f"option {parameter.opts[0]}"
    return found
