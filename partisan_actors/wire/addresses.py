"""Addresses in text form: ``HOST:PORT``, and ``[HOST]:PORT`` when the host is an IPv6 address."""

from __future__ import annotations

import ipaddress

from partisan_actors.errors import ConfigError

__all__ = ["format_address", "is_loopback", "parse_address", "with_port"]


def parse_address(text: str, default_port: int | None = None) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` as a pair. Raises ConfigError."""
    host, separator, port = text.rpartition(":")
    if default_port is not None and (not separator or text.endswith("]")):
        host, port = text, str(default_port)
    is_v6 = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if is_v6 else host
    if not host or is_v6 != (":" in host) or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ConfigError("address", text, "HOST:PORT, for example 127.0.0.1:7946 or [::1]:7946")
    return host, int(port)


def format_address(host: str, port: int) -> str:
    """The inverse of `parse_address`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def with_port(address: str, port: int) -> str:
    """The same address; port 0 in it becomes `port`. Raises ConfigError."""
    host, given = parse_address(address)
    return format_address(host, given or port)


def is_loopback(host: str) -> bool:
    """Whether `host` can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
