"""The workers of a session: what they run, and what the template that they are forked from loads for them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from partisan_actors.errors import ConfigError
from partisan_actors.node.overlay_names import DEFAULT_OVERLAY
from partisan_actors.node.workers import Crew, TemplateKind, forks_workers

if TYPE_CHECKING:
    from partisan_actors.api.output import SessionOutput
    from partisan_actors.node.config import NodeConfig

__all__ = ["TEMPLATE_MODULE", "WORKER_MODULE", "start_workers"]

WORKER_MODULE: Final = "partisan_actors.api.worker"
TEMPLATE_MODULE: Final = "partisan_actors.api.template"


def start_workers(count: int, config: NodeConfig, output: SessionOutput, *, is_traced: bool) -> Crew:
    """Start so many workers of the node with `config`. Raises ConfigError when that cannot be; then none is left."""
    names = [f"{config.name}-w{number + 1}" for number in range(count)]
    template = _template(config, is_traced=is_traced) if forks_workers(os.environ) else None
    try:
        return Crew(names, WORKER_MODULE, template, lambda: output.of_workers)
    except OSError as error:
        output.close()
        raise ConfigError("workers", count, f"as many processes as this machine can start ({error})") from error


def _template(config: NodeConfig, *, is_traced: bool) -> TemplateKind:
    # A user's own overlay is loaded by each worker: a template runs no code of users.
    is_ours = ":" not in config.overlay
    settings = {
        "sys_path": [os.path.abspath(path) for path in sys.path if isinstance(path, str)],
        "overlay": config.overlay if is_ours else DEFAULT_OVERLAY,
        "overlay_options": dict(config.overlay_options) if is_ours else {},
        "broadcast": config.broadcast,
        "broadcast_options": dict(config.broadcast_options),
        "routing": config.routing,
        "tracing": {} if is_traced else None,
    }
    return TemplateKind(TEMPLATE_MODULE, ("workers",), settings)
