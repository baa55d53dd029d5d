"""What `partisan start` was asked for: `StartPlan`, and how options become one."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import click

from partisan_actors.api.log_choice import LOG_LINE, LogChoice
from partisan_actors.errors import ConfigError
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.tls import TlsFiles
from partisan_actors.wire.addresses import format_address, is_loopback, parse_address
from partisan_actors.wire.channels import check_channels

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "StartPlan",
    "advertise_addresses",
    "bind_addresses",
    "nested",
    "pairs",
    "size",
]

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7946

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*((?:[kmgt]i?)?b?)", re.IGNORECASE)
_UNITS: Final = {
    **{prefix + b: 1000**power for power, prefix in enumerate(("", "k", "m", "g", "t")) for b in ("", "b")},
    **{f"{prefix}i{b}": 1024**power for power, prefix in enumerate("kmgt", 1) for b in ("", "b")},
}


def pairs(kind: type[str] | type[float]) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], dict[str, Any]]:
    """A call-back for options: ``key=value``, as often as it is given, as a dict; with `kind` float, of numbers."""

    def convert(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for text in texts:
            key, separator, value = text.partition("=")
            if not separator or not key:
                raise click.BadParameter(f"{text!r} is not KEY=VALUE", ctx, parameter)
            try:
                found[key] = kind(value)
            except ValueError:
                raise click.BadParameter(f"{value!r} is not a number, in {text!r}", ctx, parameter) from None
        return found

    return convert


def size(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int:
    """A call-back for an option: a number of bytes, also as 500MB or 2GiB; 0 when it is not given."""
    if text is None:
        return 0
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is not a number of bytes, as in 500MB or 2GiB", ctx, parameter)
    return int(float(found[1]) * _UNITS[found[2].lower()])


def nested(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
    """A call-back for options: ``key=value``, as often as it is given, as a dict; a dot in a key leads into another.

    Values are JSON where they are, or else text.
    """
    found: dict[str, Any] = {}
    for path, text in pairs(str)(ctx, parameter, texts).items():
        *outer, name = path.split(".")
        inner = found
        for key in outer:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise click.BadParameter(f"{key!r} has a value already, in {path!r}", ctx, parameter)
        try:
            inner[name] = json.loads(text)
        except ValueError:
            inner[name] = text
    return found


@dataclass(frozen=True, slots=True)
class StartPlan:
    """Which nodes to make: the first, in this process, and `nodes` - 1 worker processes like it.

    Plain values only, so that it can be handed to the process that runs in the background.
    """

    config: dict[str, Any]
    cookie: str
    contacts: list[str]
    nodes: int
    tracing: str | bool | None
    log_level: str
    any_overlay: bool
    log: str = ""
    tls: list[str] | None = None
    dashboard: bool | str = False
    log_format: str | None = None

    def logs(self) -> LogChoice:
        """How the nodes write what they log."""
        return LogChoice(self.log_level, self.log_format, LOG_LINE)

    def node_config(self) -> NodeConfig:
        """The first node. Raises ConfigError."""
        tls = TlsFiles(*self.tls) if self.tls else None
        lists = {name: tuple(self.config[name]) for name in ("bind", "advertise")}
        channels = check_channels(self.config.get("channels", {}))
        made = {"channels": channels, "cookie": bytes.fromhex(self.cookie), "tls": tls}
        return NodeConfig(**{**self.config, **lists, **made})

    def worker_settings(self) -> dict[str, Any]:
        """What the other nodes are told: everything but name and port is as for the first."""
        return {
            "bind": _at_any_port(self.config["bind"]),
            "advertise": _at_any_port(self.config["advertise"]),
            "resources": self.config["resources"],
            "labels": self.config["labels"],
            "stops_on_request": True,
            "allow_faults": self.config.get("allow_faults", False),
        }

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def warnings(self) -> list[str]:
        """What will probably not work as meant, or is not safe."""
        config = self.node_config()
        is_near = all(is_loopback(parse_address(address)[0]) for address in config.bind)
        far = [address for address in self.contacts if not is_loopback(parse_address(address)[0])]
        found = []
        if config.allow_faults:
            found.append("--allow-faults: whoever may ask these nodes may also break them")
        if config.takes_anybody:
            found.append("--insecure: whoever can reach this node can run code here")
        elif not is_near and config.tls is None:
            found.append("what other hosts and this node send each other is not encrypted: see --tls-dir")
        if far and is_near and not config.advertise:
            found.append(
                f"nodes of other hosts cannot dial {', '.join(config.bind)} and will relay what is for this node; if "
                "they should reach it directly, give it an address of this host: --bind HOST:0"
            )
        return found

    def how_to_be_let_in(self) -> tuple[str, str]:
        """What commands and `init` need beside the address: as options, and as arguments."""
        if self.tls is not None:
            directory = os.path.dirname(self.tls[0])
            return f" --tls-dir {shlex.quote(directory)}", f", tls={directory!r}"
        return (" --insecure", ", insecure=True") if self.config.get("insecure") else ("", "")

    def hint(self) -> str:
        """What a person with more cores than nodes may want to know."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if self.nodes > 1 or cores == 1 or self.contacts or "num_cpus" in self.config["resources"]:
            return ""
        return f"one node uses one of the {cores} cores here; --nodes {cores} uses all"


def bind_addresses(bind: Sequence[str], port: int | None, joins: bool) -> list[str]:
    """Where to listen: as told, else at the port that everybody knows; who joins needs no such port and takes any.

    Raises ConfigError.
    """
    default = port if port is not None else 0 if joins else DEFAULT_PORT
    addresses = [parse_address(address, default) for address in bind or (DEFAULT_HOST,)]
    for host, given in addresses:
        if port is not None and given != port:
            raise ConfigError(
                "--port", port, f"the port of --bind {format_address(host, given)}, or only one of the two"
            )
    return [format_address(host, given) for host, given in addresses]


def advertise_addresses(given: Sequence[str]) -> list[str]:
    """HOST means HOST and the port that is bound. Raises ConfigError."""
    return [format_address(*parse_address(address, 0)) for address in given]


def _at_any_port(addresses: Sequence[str]) -> list[str]:
    return [format_address(parse_address(address)[0], 0) for address in addresses]
