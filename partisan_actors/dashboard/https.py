"""HTTPS: the certificate that visitors are shown, read again when its files change, as nodes do with theirs."""

from __future__ import annotations

import logging
import ssl
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.node.pem import PemFiles, no_password

__all__ = ["Certificate"]

logger = logging.getLogger(__name__)

PROTOCOLS: Final = ["http/1.1"]


class Certificate:
    """A certificate, with what leads to its CA, and its key, both as PEM files. Visitors need none themselves.

    Files that changed are taken for the next visitor. When they do not work, the former ones stay, which is logged once
    for each time that they changed. Raises ConfigError when they do not work at first.
    """

    def __init__(self, cert: str, key: str) -> None:
        self._paths = (cert, key)
        self._pem = PemFiles(self._paths)
        self._now = self._load()
        # What listens keeps this one, which asks for the present one when a visitor comes.
        self.context = self._load()
        self.context.sni_callback = self._choose

    def _choose(self, connection: Any, name: str | None, context: ssl.SSLContext) -> None:
        if self._pem.have_changed():
            try:
                self._now = self._load()
            except ConfigError as error:
                logger.warning(
                    "the dashboard's certificate changed and cannot be used, the former one stays: %s", error
                )
        connection.context = self._now

    def _load(self) -> ssl.SSLContext:
        cert, key = self._paths
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(PROTOCOLS)
        try:
            context.load_cert_chain(cert, key, password=no_password)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise ConfigError(
                "https certificate", f"{cert} and {key}", f"a certificate and its key as PEM ({why})"
            ) from error
        return context
