"""Tests of the doorkeeper: hosts, tokens, sessions, and pages of others."""

from __future__ import annotations

from itertools import count

import pytest

from partisan_actors.dashboard.access import SESSION_S, SESSIONS_MAX, Access, Asked, Session
from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.dashboard.problems import Problem
from partisan_actors.errors import ConfigError
from tests.unit.dashboard.fakes import TOKEN


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def access(token: str = TOKEN, *, read_only: bool = False, clock: Clock | None = None) -> Access:
    secrets = map("secret-{}".format, count())
    options = DashboardOptions("127.0.0.1", 1, token, read_only, ("Dash.Example",))
    return Access(options, clock or Clock(), lambda: next(secrets))


def asked(method: str = "GET", host: str = "127.0.0.1:1", **more: str) -> Asked:
    return Asked(method, host, **more)


def status_of(check: object) -> int:
    with pytest.raises(Problem) as caught:
        check()  # type: ignore[operator]  # a call without arguments
    return caught.value.status


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:1", "LOCALHOST", "[::1]:1", "10.0.0.7", "dash.example:80"])
def test_addresses_and_names_on_the_list_are_hosts_of_ours(host: str) -> None:
    access("").check(asked(host=host))


@pytest.mark.parametrize("host", ["evil.example:1", "", "127.0.0.1.evil.example", "[evil]:1", "localhost.evil:1"])
def test_a_name_that_may_be_anybody_s_is_refused_even_with_the_token(host: str) -> None:
    assert status_of(lambda: access().check(asked(host=host, authorization=f"Bearer {TOKEN}"))) == 421


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \udcff"])
def test_without_the_token_nobody_looks(shown: str) -> None:
    assert status_of(lambda: access().check(asked(authorization=shown))) == 401


def test_who_shows_the_token_may_look_and_act() -> None:
    door = access()

    door.check(asked(authorization=f"bearer {TOKEN}"))
    door.check_action(asked("POST", authorization=f"Bearer {TOKEN}", origin="http://evil.example"))


def test_a_session_begins_with_the_token_and_ends_with_its_time() -> None:
    clock = Clock()
    door = access(clock=clock)

    assert door.begin("wrong") is None
    session = door.begin(TOKEN)

    assert session is not None and door.check(asked(cookie=session.id)) is session
    clock.now = SESSION_S
    assert status_of(lambda: door.check(asked(cookie=session.id))) == 401


def test_the_oldest_session_ends_when_there_are_too_many() -> None:
    door = access()
    first = door.begin(TOKEN)
    for _ in range(SESSIONS_MAX):
        last = door.begin(TOKEN)

    assert first is not None and door.session(asked(cookie=first.id)) is None
    assert last is not None and door.session(asked(cookie=last.id)) is last


@pytest.mark.parametrize(
    "wrong",
    [
        {"csrf": "guessed"},
        {"csrf": ""},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:2"},
        {"origin": "null"},
        {"fetch_site": "cross-site"},
        {"fetch_site": "same-site"},
        {"cookie": ""},
    ],
)
@pytest.mark.parametrize("token", ["", TOKEN])
def test_an_action_comes_from_our_own_page_with_the_secret_of_its_session(token: str, wrong: dict[str, str]) -> None:
    door = access(token)
    session = door.begin(token)
    assert session is not None
    right = {"cookie": session.id, "csrf": session.csrf, "origin": "http://127.0.0.1:1", "fetch_site": "same-origin"}

    door.check_action(asked("POST", **right))
    assert status_of(lambda: door.check_action(asked("POST", **{**right, **wrong}))) in (401, 403)


def test_read_only_refuses_even_who_has_the_token() -> None:
    assert status_of(lambda: access(read_only=True).check_action(asked("POST", authorization=f"Bearer {TOKEN}"))) == 403


def with_viewers() -> Access:
    options = DashboardOptions("127.0.0.1", 1, TOKEN, view_token="only-for-looking-at-it")
    return Access(options, Clock())


def test_who_knows_the_token_for_looking_looks_and_does_not_act() -> None:
    door = with_viewers()
    viewer = asked("POST", authorization="Bearer only-for-looking-at-it")

    door.check(viewer)

    assert status_of(lambda: door.check_action(viewer)) == 403
    assert not door.may_act(viewer, None)
    door.check_action(asked("POST", authorization=f"Bearer {TOKEN}"))
    assert status_of(lambda: door.check(asked(authorization="Bearer "))) == 401


def test_a_session_keeps_the_role_of_the_token_that_it_began_with() -> None:
    door = with_viewers()
    looking, acting = door.begin("only-for-looking-at-it"), door.begin(TOKEN)
    assert looking is not None and acting is not None and door.begin("") is None

    def action(session: Session) -> Asked:
        return asked("POST", cookie=session.id, csrf=session.csrf, fetch_site="same-origin")

    door.check_action(action(acting))
    assert status_of(lambda: door.check_action(action(looking))) == 403
    assert door.may_act(action(acting), acting) and not door.may_act(action(looking), looking)


def test_a_token_for_looking_needs_one_for_acting_and_is_another_one() -> None:
    assert DashboardOptions(view_token="only-for-looking-at-it").guarded().token
    with pytest.raises(ConfigError, match="another one"):
        DashboardOptions(token=TOKEN, view_token=TOKEN)
    with pytest.raises(ConfigError, match="16 characters"):
        DashboardOptions(token=TOKEN, view_token="short")
