"""Who may look and who may act: a token, the sessions of browsers, and what keeps other pages' scripts out.

Rules kept here:

1. A request names a host that is an address, `localhost` or on the list: otherwise the page of a stranger whose name
   leads to this machine (DNS rebinding) would count as ours.
2. With a token, whoever asks shows it (`Authorization: Bearer`), or has the cookie of a session that began with it.
3. What changes something, and comes with a cookie or with nothing, comes from our own page, and shows the secret of
   its session, which scripts of other pages cannot read. Who shows the token itself needs neither: no browser adds it
   unasked.
4. Secrets are compared in constant time, live in memory only, and a session ends after SESSION_S, or when SESSIONS_MAX
   later ones have begun.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.dashboard.problems import Problem

__all__ = ["CSRF_HEADER", "SECURITY_HEADERS", "SESSION_S", "Access", "Asked", "Session"]

CSRF_HEADER: Final = "X-Partisan-Csrf"
SESSION_S: Final = 12 * 3600.0
SESSIONS_MAX: Final = 1000
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request decides whether it is answered. Empty is what is not there."""

    method: str
    host: str
    origin: str = ""
    fetch_site: str = ""
    authorization: str = ""
    cookie: str = ""
    csrf: str = ""
    peer: str = ""


@dataclass(slots=True)
class Session:
    """A browser that has shown the token, or needed none."""

    id: str
    csrf: str
    ends_at: float


class Access:
    """The doorkeeper of one dashboard. `clock` is in seconds; `make_secret` makes what nobody can guess."""

    def __init__(
        self,
        options: DashboardOptions,
        clock: Callable[[], float],
        make_secret: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self._options = options
        self._clock = clock
        self._make_secret = make_secret
        self._names = {"localhost", *(name.lower() for name in options.allowed_hosts)}
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def check_host(self, asked: Asked) -> None:
        """Rule 1. Raises Problem."""
        host = _host_of(asked.host)
        if host in self._names or _is_address(host):
            return
        raise Problem(
            421,
            f"this dashboard is not known as {host[:100]!r}: call it by an address, or start it with --allowed-host",
        )

    def begin(self, token: str) -> Session | None:
        """A session for who knows the token, or needs none; None for who does not."""
        if not self._is_token(token):
            return None
        session = Session(self._make_secret(), self._make_secret(), self._clock() + SESSION_S)
        self._sessions[session.id] = session
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return session

    def session(self, asked: Asked) -> Session | None:
        """The session that a request belongs to, if it has not ended."""
        session = self._sessions.get(asked.cookie)
        if session is None:
            return None
        if self._clock() >= session.ends_at:
            del self._sessions[session.id]
            return None
        return session

    def check(self, asked: Asked) -> Session | None:
        """Rules 1 and 2. Returns the session of who may look, if there is one. Raises Problem."""
        self.check_host(asked)
        session = self.session(asked)
        if session is None and not self._has_bearer(asked) and self._options.token:
            raise Problem(
                401, "show the token: as a header 'Authorization: Bearer TOKEN', or open the page with ?token=TOKEN",
                {"WWW-Authenticate": 'Bearer realm="partisan dashboard"'},
            )  # fmt: skip  # the sentence in one piece
        return session

    def check_action(self, asked: Asked) -> None:
        """Rules 1 to 3, for what changes something. Raises Problem."""
        session = self.check(asked)
        if self._options.read_only:
            raise Problem(403, "this dashboard is read-only")
        if self._has_bearer(asked):
            return
        self.check_same_origin(asked)
        if session is None or not _same(asked.csrf, session.csrf):
            raise Problem(403, f"actions need the header {CSRF_HEADER} with the `csrf` that /api/v1/session tells")

    def check_same_origin(self, asked: Asked) -> None:
        """That a request was not begun by the page of somebody else. Raises Problem."""
        if asked.method in _SAFE:
            return
        is_ours = asked.fetch_site in ("", "same-origin", "none")
        if asked.origin and urlsplit(asked.origin).netloc.lower() != asked.host.lower():
            is_ours = False
        if not is_ours:
            raise Problem(403, "actions are taken from the dashboard's own page only")

    def _has_bearer(self, asked: Asked) -> bool:
        kind, _, token = asked.authorization.partition(" ")
        return bool(self._options.token) and kind.lower() == "bearer" and self._is_token(token.strip())

    def _is_token(self, token: str) -> bool:
        return not self._options.token or _same(token, self._options.token)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))


def _host_of(header: str) -> str:
    """The name or address in a Host header, without the port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0].lower() if ":" in header else header.lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
