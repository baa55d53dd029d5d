"""Who may look and who may act: a token, the sessions of browsers, and what keeps other pages' scripts out.

Rules kept here:

1. A request names a host that is an address, `localhost` or on the list: otherwise the page of a stranger whose name
   leads to this machine (DNS rebinding) would count as ours.
2. With a token, whoever asks shows it (`Authorization: Bearer`), or has the cookie of a session that began with it.
   One who shows the token for looking, or whose session began with that, may not act.
3. What changes something, and comes with a cookie or with nothing, comes from our own page, and shows the secret of
   its session, which scripts of other pages cannot read. Who shows the token itself needs neither: no browser adds it
   unasked.
4. Secrets are compared in constant time, live in memory only, and a session ends after SESSION_S, when SESSIONS_MAX
   later ones have begun, or when its browser signs out.
5. Who is told of what changes is looked at again before each word: a stream does not outlive its session.
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
    may_act: bool = True


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
        may_act = self._role_of(token)
        if may_act is None:
            return None
        session = Session(self._make_secret(), self._make_secret(), self._clock() + SESSION_S, may_act)
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

    def end(self, session: Session) -> None:
        """Whoever has that session has it no longer."""
        self._sessions.pop(session.id, None)

    def check(self, asked: Asked) -> Session | None:
        """Rules 1 and 2. Returns the session of who may look, if there is one. Raises Problem."""
        self.check_host(asked)
        session = self.session(asked)
        if session is None and self._bearer(asked) is None and self._options.token:
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
        if not self.may_act(asked, session):
            raise Problem(403, "whoever shows this token may look, and not act")
        self.check_secret(asked, session)

    def check_secret(self, asked: Asked, session: Session | None) -> None:
        """Rule 3, for somebody who may look. Raises Problem."""
        if self._bearer(asked) is not None:
            return
        self.check_same_origin(asked)
        if session is None or not _same(asked.csrf, session.csrf):
            raise Problem(403, f"actions need the header {CSRF_HEADER} with the `csrf` that /api/v1/session tells")

    def may_act(self, asked: Asked, session: Session | None) -> bool:
        """Whether somebody who may look may act as well, as far as that is a matter of who it is."""
        role = self._bearer(asked)
        if role is None and session is not None:
            role = session.may_act
        return role is not False and not self._options.read_only

    def check_same_origin(self, asked: Asked) -> None:
        """That a request was not begun by the page of somebody else. Raises Problem."""
        if asked.method in _SAFE:
            return
        is_ours = asked.fetch_site in ("", "same-origin", "none")
        if asked.origin and urlsplit(asked.origin).netloc.lower() != asked.host.lower():
            is_ours = False
        if not is_ours:
            raise Problem(403, "actions are taken from the dashboard's own page only")

    def _bearer(self, asked: Asked) -> bool | None:
        """Whether the token that a request shows lets somebody act; None without one, or with a wrong one."""
        kind, _, token = asked.authorization.partition(" ")
        return self._role_of(token.strip()) if self._options.token and kind.lower() == "bearer" else None

    def _role_of(self, token: str) -> bool | None:
        """Whether who knows that token may act; None for a wrong one."""
        options = self._options
        may_act, may_look = _same(token, options.token), _same(token, options.view_token)  # both, always
        if not options.token or may_act:
            return True
        return False if may_look and options.view_token else None


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
