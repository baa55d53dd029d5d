"""What a node proves its name with: its certificate, key and CA, read again when they change, and whom they allow.

The rules this file keeps:

1. A certificate names the nodes that may use it in its subject alternative names, as URIs ``partisan://CLUSTER/NAME``.
   In both parts ``*`` stands for any text; there are no other patterns, and no other names count.
2. Files are taken only when they work: a connection with oneself is tried in memory, which finds an expired
   certificate, one of another CA, and one that may not be used by both sides of a connection.
3. Files that changed are taken for the next connection. When they do not work, the former ones stay, and the node says
   so once for each time that they changed.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from partisan_actors.errors import AuthenticationError, ConfigError
from partisan_actors.node.pem import PemFiles, no_password
from partisan_actors.transport.tls import explain_tls_error
from partisan_actors.values import dataclass

__all__ = [
    "CA_FILE",
    "CERT_FILE",
    "KEY_FILE",
    "Credentials",
    "TlsFiles",
    "allows",
    "find_tls",
    "names_of",
    "try_files",
]

CERT_FILE: Final = "node.pem"
KEY_FILE: Final = "node.key"
CA_FILE: Final = "ca.pem"
VARIABLES: Final = ("PARTISAN_TLS_CERT", "PARTISAN_TLS_KEY", "PARTISAN_TLS_CA")
DIRECTORY_VARIABLE: Final = "PARTISAN_TLS_DIR"
SCHEME: Final = "partisan://"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The paths of three PEM files: a certificate with what leads to its CA, its private key, the CA's certificates."""

    cert: str
    key: str
    ca: str

    def __post_init__(self) -> None:
        for name in ("cert", "key", "ca"):
            value = getattr(self, name)
            if not isinstance(value, (str, os.PathLike)) or not str(value):
                raise ConfigError(f"tls {name}", value, "the path of a PEM file")
            object.__setattr__(self, name, os.path.abspath(value))

    @classmethod
    def of_directory(cls, directory: str | os.PathLike[str]) -> TlsFiles:
        """The three files that `partisan certs` makes in a directory. Raises ConfigError when one is not there."""
        files = cls(*(os.path.join(directory, name) for name in (CERT_FILE, KEY_FILE, CA_FILE)))
        for path in (files.cert, files.key, files.ca):
            if not os.path.isfile(path):
                wanted = f"a directory with {CERT_FILE}, {KEY_FILE} and {CA_FILE}, as `partisan certs init` makes one"
                raise ConfigError("tls directory", str(directory), f"{wanted} ({os.path.basename(path)} is missing)")
        return files

    def plain(self) -> list[str]:
        """As JSON; `TlsFiles(*plain)` is the inverse."""
        return [self.cert, self.key, self.ca]


def find_tls(
    given: str | os.PathLike[str] | TlsFiles | None = None, environ: Mapping[str, str] = os.environ
) -> TlsFiles | None:
    """The files to use: `given`, as they are or by their directory, else what the environment names; None: no TLS.

    $PARTISAN_TLS_DIR names a directory; $PARTISAN_TLS_CERT, _KEY and _CA name the files, all three. Raises ConfigError.
    """
    if isinstance(given, TlsFiles):
        return given
    directory = given or environ.get(DIRECTORY_VARIABLE)
    if directory:
        return TlsFiles.of_directory(directory)
    paths = [environ.get(name, "") for name in VARIABLES]
    if not any(paths):
        return None
    if not all(paths):
        missing = ", ".join(name for name, path in zip(VARIABLES, paths, strict=True) if not path)
        raise ConfigError("environment", missing, f"all of {', '.join(VARIABLES)}, or none")
    return TlsFiles(*paths)


def names_of(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """The nodes' names in a certificate, as `ssl` gives one: its ``partisan://`` URIs."""
    names = certificate.get("subjectAltName", ())
    return tuple(value for kind, value in names if kind == "URI" and value.startswith(SCHEME))


def allows(names: Sequence[str], cluster: str, node: str) -> bool:
    """Whether one of these URIs names that node of that cluster."""
    return any(
        len(parts) == 2 and _matches(parts[0], cluster) and _matches(parts[1], node)
        for parts in (name.removeprefix(SCHEME).split("/") for name in names)
    )


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


class Credentials:
    """The certificates of one node as they are now. `tell(text)` hears of files that changed and do not work."""

    def __init__(self, files: TlsFiles, node: str, tell: Callable[[str], None]) -> None:
        """Raises ConfigError when the files do not work, or name another node than `node`."""
        self.files = files
        self._node = node
        self._tell = tell
        self._pem = PemFiles((files.cert, files.key, files.ca))
        self.reloads = 0
        self._use(*self._load())

    def context(self, server_side: bool) -> ssl.SSLContext:
        """What to begin a connection with, from the files as they are now."""
        if self._pem.have_changed():
            self.reload()
        return self._server if server_side else self._client

    def check(self, certificate: Mapping[str, Any] | None, cluster: str, node: str) -> None:
        """Raises AuthenticationError when the certificate of a peer names other nodes than who it says it is."""
        names = names_of(certificate or {})
        if not allows(names, cluster, node):
            for_whom = f"is for {', '.join(names)}" if names else f"names no node ({SCHEME}CLUSTER/NAME)"
            raise AuthenticationError(node, f"its certificate {for_whom}, and it is {SCHEME}{cluster or '*'}/{node}")

    def reload(self) -> None:
        """Read the files now. When they do not work, the former ones stay."""
        self._pem.have_changed()  # they are read now
        try:
            self._use(*self._load())
        except ConfigError as error:
            self._tell(f"the TLS files changed and cannot be used, the former ones stay: {error}")
        else:
            self.reloads += 1

    def facts(self) -> dict[str, Any]:
        """For people and programs: whom the certificate names, until when it is valid, how often it was reloaded."""
        return {"names": list(self.names), "expires": self.expires, "reloads": self.reloads}

    def _use(self, server: ssl.SSLContext, client: ssl.SSLContext, certificate: Mapping[str, Any]) -> None:
        self._server, self._client = server, client
        self.names = names_of(certificate)
        self.expires = str(certificate.get("notAfter", ""))

    def _load(self) -> tuple[ssl.SSLContext, ssl.SSLContext, Mapping[str, Any]]:
        server, client, certificate = _tried(self.files)
        if not any(_matches(name.rpartition("/")[2], self._node) for name in names_of(certificate)):
            names = ", ".join(names_of(certificate)) or f"no node ({SCHEME}CLUSTER/NAME)"
            allowed = f"a certificate for node {self._node!r}; this one names {names}"
            raise ConfigError("tls cert", self.files.cert, f"{allowed}: `partisan certs issue --name {self._node}`")
        return server, client, certificate


def try_files(files: TlsFiles) -> Mapping[str, Any]:
    """The certificate in these files, as `ssl` gives one. Raises ConfigError when they do not work."""
    return _tried(files)[2]


def _tried(files: TlsFiles) -> tuple[ssl.SSLContext, ssl.SSLContext, Mapping[str, Any]]:
    _check_private(files.key)
    server, client = (_context(files, role) for role in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
    try:
        return server, client, _try_out(server, client)
    except ssl.SSLError as error:
        why = getattr(error, "why", "") or str(explain_tls_error(error, "this node"))
        raise ConfigError("tls cert", files.cert, f"a certificate that others accept ({why})") from error


def _check_private(path: str) -> None:
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise ConfigError("tls key", path, f"a file that can be read ({error.strerror})") from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError("tls key", path, "a file only its owner can read: chmod 600 it")


def _context(files: TlsFiles, role: int) -> ssl.SSLContext:
    context = ssl.SSLContext(role)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Nodes move between hosts: what a certificate proves is the name of the node.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if role == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0  # every connection is verified anew
    try:
        context.load_cert_chain(files.cert, files.key, password=no_password)
    except (OSError, ValueError) as error:
        both = f"{files.cert} and {files.key}"
        raise ConfigError("tls cert and key", both, f"a certificate and its key as PEM ({_why(error)})") from error
    try:
        context.load_verify_locations(files.ca)
    except (OSError, ValueError) as error:
        raise ConfigError("tls ca", files.ca, f"the certificates of a CA as PEM ({_why(error)})") from error
    return context


def _why(error: OSError | ValueError) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or error).lower().replace("_", " ")


def _try_out(server: ssl.SSLContext, client: ssl.SSLContext) -> Mapping[str, Any]:
    """Connect both in memory; the certificate that was shown. Raises SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    for _ in range(2):  # TLS 1.3: hello, hello and certificate, certificate
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return sides[1].getpeercert() or {}
