"""What a dashboard is told when it is started, and what it refuses to be told."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Final

from partisan_actors.errors import ConfigError
from partisan_actors.node.tls import TlsFiles
from partisan_actors.wire.addresses import format_address, is_loopback

__all__ = ["DEFAULT_PORT", "TOKEN_CHARS_MIN", "DashboardOptions"]

DEFAULT_PORT: Final = 8265
TOKEN_CHARS_MIN: Final = 16


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    """Where it listens, who may look, and whether anybody may do more than look.

    `token` is what a visitor has to know; "" is for loopback only, where whoever has an account on the machine may look
    and act. `allowed_hosts` are names, beside addresses and `localhost`, by which browsers may call it. `read_only`
    refuses every action. `jaeger_url` is where a Jaeger's UI shows the same traces, for links to it. Who knows only the
    `view_token` may look and not act. `allow_faults` says whether faults can be injected from it, into nodes that allow
    it: None for where only this machine can reach it.

    `https_cert` and `https_key` are the files of a certificate for HTTPS. Without them, `https` says whether the
    cluster's own certificate is shown: True, False, or None for yes if there is one and other machines can reach it.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str = ""
    read_only: bool = False
    allowed_hosts: tuple[str, ...] = ()
    jaeger_url: str = ""
    view_token: str = ""
    https: bool | None = None
    https_cert: str = ""
    https_key: str = ""
    allow_faults: bool | None = None

    def __post_init__(self) -> None:
        if isinstance(self.port, bool) or not isinstance(self.port, int) or not 0 <= self.port <= 65535:
            raise ConfigError("dashboard port", self.port, "a number from 0 (any free one) to 65535")
        if not isinstance(self.host, str) or not self.host:
            raise ConfigError("dashboard host", self.host, "an address of this machine, such as 127.0.0.1 or 0.0.0.0")
        if self.jaeger_url and not self.jaeger_url.startswith(("http://", "https://")):
            raise ConfigError("jaeger url", self.jaeger_url, "an address such as http://localhost:16686")
        for what, token in (("token", self.token), ("view token", self.view_token)):
            if token and (len(token) < TOKEN_CHARS_MIN or not token.isprintable() or " " in token):
                # The value stays out of the text: it may be somebody's password.
                raise ConfigError(f"dashboard {what}", "***", f"at least {TOKEN_CHARS_MIN} characters without blanks")
        if self.view_token and self.view_token == self.token:
            raise ConfigError("dashboard view token", "***", "another one than the token that lets people act")
        if self.https not in (None, True, False):
            raise ConfigError("https", self.https, "True, False, or None")
        if self.allow_faults not in (None, True, False):
            raise ConfigError("allow_faults", self.allow_faults, "True, False, or None")
        if bool(self.https_cert) != bool(self.https_key):
            given = self.https_cert or self.https_key
            raise ConfigError("https", given, "both files, that of the certificate and that of its key")

    @property
    def is_near(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def may_inject(self) -> bool:
        """Whether faults can be injected from it."""
        return self.is_near if self.allow_faults is None else self.allow_faults

    def guarded(self) -> DashboardOptions:
        """The same with a token, made up if none was given, where others can reach it or some may only look."""
        if self.token or (self.is_near and not self.view_token):
            return self
        return replace(self, token=secrets.token_urlsafe(24))

    def certificate(self, tls: TlsFiles | None) -> tuple[str, str] | None:
        """The files of the certificate for HTTPS; `tls` are those of the cluster, if it has any. None: plain HTTP.

        Raises ConfigError when HTTPS is wanted and there are none.
        """
        if self.https_cert and self.https is not False:
            return self.https_cert, self.https_key
        if tls is not None and (self.https or (self.https is None and not self.is_near)):
            return tls.cert, tls.key
        if self.https:
            raise ConfigError("https", True, "a certificate: that of the cluster, if it has TLS, or files of its own")
        return None

    def url(self, port: int, scheme: str = "http") -> str:
        """Where a browser finds it, once it listens on `port`; with the token, if there is one."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        query = f"?token={self.token}" if self.token else ""
        return f"{scheme}://{format_address(host, port)}/{query}"
