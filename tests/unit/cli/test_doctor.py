"""Tests of what the doctor makes of facts: how grave each is, and that whatever is wrong has a remedy."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from partisan_actors.api.host_facts import host_facts
from partisan_actors.api.observer import Answer
from partisan_actors.cli.doctor import command, here
from partisan_actors.cli.doctor.cluster import Clock, judge_cluster
from partisan_actors.cli.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, alike_together, graver_first
from partisan_actors.cli.doctor.here import judge_here
from partisan_actors.cli.doctor.nodes import judge_node
from partisan_actors.cli.main import run
from partisan_actors.node.rundir import RunningNode
from partisan_actors.telemetry.histogram import BOUNDS_S
from tests.authority import Authority

GIB = 1 << 30
NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
BUCKETS = len(BOUNDS_S) + 1


def room(**more: Any) -> dict[str, Any]:
    return {
        "path": "/somewhere",
        "bytes": 100 * GIB,
        "bytes_free": 50 * GIB,
        "why": "",
        "left_over": [],
        "left_over_bytes": 0,
        **more,
    }


def lag(seconds: float) -> dict[str, Any]:
    buckets = [0] * BUCKETS
    buckets[sum(bound < seconds for bound in BOUNDS_S)] = 100
    return {"count": 100, "sum": 100 * seconds, "buckets": buckets}


def facts_of(name: str = "a", **more: Any) -> dict[str, Any]:
    """Those of a node with which nothing is wrong."""
    return {
        "name": name,
        "host": "host-1",
        "cluster": "c",
        "version": "1.0",
        "python": "3.12.1",
        "bind": ["127.0.0.1:0"],
        "addresses": ["127.0.0.1:7946"],
        "takes_anybody": False,
        "has_tls": False,
        "tls": None,
        "allow_faults": False,
        "wants_shared_memory": True,
        "shares_memory": True,
        "loop_lag": lag(0.001),
        "troubles": [],
        "spans_lost": 0,
        "not_ready": [],
        "fds": 20,
        "fd_limit": 65536,
        "shared_memory": room(),
        "spill": room(),
        **more,
    }


def row(name: str = "a", state: str = "up") -> dict[str, Any]:
    return {"name": name, "state": state, "addresses": ["127.0.0.1:7946"], "suspected_by": ["b"]}


def wrong(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    """What is not as it should be; each says what to do."""
    found = [finding for finding in findings if finding.severity != OK]
    assert all(finding.remedy for finding in found), found
    return [(finding.severity, finding.check, finding.where) for finding in found]


def test_nothing_is_wrong_with_a_node_that_is_well() -> None:
    assert wrong(judge_node(facts_of(), NOW)) == []


EXPIRED, SOON, FAR = "May 25 00:00:00 2026 GMT", "Jun  9 00:00:00 2026 GMT", "Dec  1 00:00:00 2026 GMT"


@pytest.mark.parametrize(
    ("facts", "severity", "check"),
    [
        ({"bind": ["10.0.0.1:1"], "takes_anybody": True}, ERROR, "binding"),
        ({"bind": ["10.0.0.1:1"]}, WARNING, "binding"),
        ({"takes_anybody": True}, WARNING, "binding"),
        ({"allow_faults": True}, NOTE, "binding"),
        ({"tls": {"names": ["partisan://c/a"], "expires": EXPIRED}}, ERROR, "certificate"),
        ({"tls": {"names": ["partisan://c/a"], "expires": SOON}}, WARNING, "certificate"),
        ({"tls": {"names": ["partisan://other/*"], "expires": FAR}}, ERROR, "certificate"),
        ({"loop_lag": lag(0.3)}, WARNING, "loop"),
        ({"loop_lag": lag(7.0)}, ERROR, "loop"),
        ({"fds": 1000, "fd_limit": 1024}, ERROR, "open files"),
        ({"fd_limit": 1024}, NOTE, "open files"),
        ({"fd_limit": 256}, WARNING, "open files"),
        ({"shared_memory": room(bytes_free=GIB)}, WARNING, "shared memory"),
        ({"shared_memory": room(bytes=64 << 20, bytes_free=64 << 20)}, WARNING, "shared memory"),
        ({"shared_memory": room(bytes=None, bytes_free=None, why="no")}, WARNING, "shared memory"),
        ({"shared_memory": room(left_over=["/x"], left_over_bytes=5)}, NOTE, "shared memory"),
        ({"wants_shared_memory": False}, NOTE, "shared memory"),
        ({"spill": room(bytes_free=GIB // 2)}, WARNING, "disk"),
        ({"spill": room(bytes_free=1)}, ERROR, "disk"),
        ({"troubles": [{"kind": "k", "count": 3, "first": "f"}]}, WARNING, "troubles"),
        ({"spans_lost": 7}, WARNING, "tracing"),
        ({"not_ready": ["it has 0 of at least 1 neighbours"]}, WARNING, "membership"),
    ],
)
def test_what_is_wrong_with_a_node_is_found(facts: dict[str, Any], severity: str, check: str) -> None:
    assert wrong(judge_node(facts_of(**facts), NOW)) == [(severity, check, "a")]


def test_a_certificate_that_is_valid_for_long_is_fine() -> None:
    tls = {"names": ["partisan://*/a"], "expires": FAR}

    assert wrong(judge_node(facts_of(has_tls=True, tls=tls), NOW)) == []


def judged(*told: dict[str, Any], clocks: Iterable[Clock] = ()) -> list[tuple[str, str, str]]:
    rows = [row(facts["name"]) for facts in told]
    answers = [Answer(each, facts) for each, facts in zip(rows, told, strict=True)]
    return wrong(judge_cluster(rows, answers, list(clocks), NOW))


def test_versions_that_differ_are_found_but_not_the_last_digit_of_python() -> None:
    assert judged(facts_of("a"), facts_of("b", python="3.12.7")) == []
    assert judged(facts_of("a"), facts_of("b", python="3.13.0")) == [(WARNING, "versions", "cluster")]
    assert judged(facts_of("a"), facts_of("b", version="2.0")) == [(WARNING, "versions", "cluster")]


def test_clocks_are_off_by_what_is_certain_only() -> None:
    ahead, behind = Clock("a", 105.0, 100.0, 100.2), Clock("b", 0.0, 100.0, 100.2)
    slow_answer = Clock("c", 102.0, 100.0, 106.0)

    found = judged(facts_of("a"), clocks=[ahead, behind, slow_answer])

    assert found == [(WARNING, "clocks", "a"), (ERROR, "clocks", "b")]


def test_tls_on_some_nodes_only_is_an_error() -> None:
    tls = {"names": ["partisan://*/*"], "expires": FAR}

    assert judged(facts_of("a"), facts_of("b", has_tls=True, tls=tls)) == [(ERROR, "certificate", "cluster")]


def test_who_is_silent_suspect_or_down_is_named() -> None:
    rows = [row("a"), row("b", "suspect"), row("c", "down")]
    answers = [Answer(rows[0], facts_of("a")), Answer(rows[1], why="nothing came", is_silent=True)]

    found = wrong(judge_cluster(rows, answers, [], NOW))

    assert found == [(ERROR, "answers", "b"), (WARNING, "membership", "b"), (WARNING, "membership", "c")]


def test_what_all_nodes_of_a_host_find_there_is_said_once() -> None:
    full = {"spill": room(bytes_free=1)}

    found = judged(facts_of("a", **full), facts_of("b", **full), facts_of("c", host="host-2", **full))

    assert found == [(ERROR, "disk", "a"), (ERROR, "disk", "c")]


def test_the_gravest_comes_first() -> None:
    findings = [Finding(severity, "x", "here", "") for severity in (OK, WARNING, ERROR, NOTE)]

    assert [finding.severity for finding in graver_first(findings)] == [ERROR, WARNING, NOTE, OK]


class Shell:
    """A shell with a home of its own, in which nothing is wrong."""

    def __init__(self, folder: Path) -> None:
        self.cookie = folder / "cookie"
        self.cookie.write_text("0123456789abcdef")
        self.cookie.chmod(0o600)
        self.environ = {"PARTISAN_RUN_DIR": str(folder / "run")}

    def wrong(self, **given: Any) -> list[tuple[str, str, str]]:
        options: dict[str, Any] = {"clusters": {}, "cookie_file": self.cookie, "tls_dir": None, "insecure": False}
        found = judge_here(facts_of(), **{**options, **given}, now=time.time(), environ=self.environ)
        return wrong(finding for finding in found if "uvloop" not in finding.text)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr(here, "DEFAULT_PORT", free_port())
    return Shell(tmp_path)


def free_port() -> int:
    with socket.socket() as trying:
        trying.bind(("127.0.0.1", 0))
        return int(trying.getsockname()[1])


def test_nothing_is_wrong_here_by_itself(shell: Shell) -> None:
    assert shell.wrong() == []


def test_a_port_that_somebody_else_has_is_found_and_one_of_ours_is_fine(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(here, "DEFAULT_PORT", port)
        ours, everywhere, another = (
            RunningNode(address, "c", "a", 1, 0.0, "host-1")
            for address in (f"127.0.0.1:{port}", f"node1.example:{port}", "127.0.0.1:1")
        )

        assert shell.wrong() == shell.wrong(clusters={"c": [another]}) == [(WARNING, "port", "here")]
        assert shell.wrong(clusters={"c": [another, ours]}) == shell.wrong(clusters={"c": [everywhere]}) == []


def test_a_cookie_that_others_can_read_or_that_is_short_is_an_error(shell: Shell) -> None:
    shell.cookie.chmod(0o644)
    readable = shell.wrong()
    shell.cookie.chmod(0o600)
    shell.cookie.write_text("short")

    assert readable == shell.wrong() == [(ERROR, "cookie", "here")]
    assert shell.wrong(insecure=True) == []


def test_a_cookie_that_is_not_there_is_not_made(shell: Shell) -> None:
    shell.cookie.unlink()

    assert shell.wrong() == [(NOTE, "cookie", "here")]
    assert not shell.cookie.exists()


def test_certificates_are_tried(shell: Shell, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    good, other = (Path(authority.issue(days=30).cert).parent for _ in range(2))
    expired = Path(authority.issue(now=datetime.now(UTC) - timedelta(days=30)).cert).parent
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name, source in (("node.pem", good), ("node.key", other), ("ca.pem", good)):
        (mixed / name).write_bytes((source / name).read_bytes())
        (mixed / name).chmod(0o600)

    assert shell.wrong(tls_dir=good) == []
    for folder in (expired, mixed, tmp_path / "nowhere"):
        assert shell.wrong(tls_dir=folder) == [(ERROR, "certificate", "here")]


def test_facts_of_this_host_are_judged_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTISAN_SHM_DIR", str(tmp_path / "not" / "yet"))

    facts = host_facts(str(tmp_path))

    assert facts["fds"] > 3 and facts["shared_memory"]["bytes"] > 0 and facts["spill"]["bytes_free"] >= 0
    assert facts["shared_memory"]["left_over"] == [] and not facts["shared_memory"]["why"]
    assert {finding.check for finding in judge_node(facts_of(**facts), NOW)} >= {"disk", "open files", "loop"}


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No cluster runs here, and whoever asks has a cookie that is fine."""
    for name in ("PARTISAN_ADDRESS", "PARTISAN_COOKIE", "PARTISAN_TLS_DIR"):
        monkeypatch.delenv(name, raising=False)
    cookie = tmp_path / "cookie"
    cookie.write_text("0123456789abcdef")
    cookie.chmod(0o600)
    monkeypatch.setenv("PARTISAN_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PARTISAN_COOKIE_FILE", str(cookie))
    return cookie


def test_the_command_works_without_a_cluster(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["doctor", "--json"])
    facts = json.loads(capsys.readouterr().out)

    assert facts["cluster"] is None and facts["asked"] == 0
    assert facts["healthy"] == (code == 0) == all(each["severity"] != ERROR for each in facts["findings"])
    assert {"cookie", "port", "disk", "answers"} <= {each["check"] for each in facts["findings"]}
    assert set(facts["findings"][0]) == {"severity", "check", "where", "text", "remedy"}


def test_the_exit_code_tells_of_an_error_and_the_text_of_its_remedy(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.chmod(alone, 0o644)

    code = run(["doctor", "--here"])

    out = capsys.readouterr().out
    assert code == 1 and "error   cookie (here): " in out and f"chmod 600 {alone}" in out
    assert re.search(r": 1 error, (\d+ warnings?, )?(\d+ notes?, )?\d+ ok$", out, re.MULTILINE)
    assert "ok      " not in out and "looked at this machine; no cluster was asked: 1 error" in out


def test_what_users_have_named_is_shown_without_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    command._show([Finding(ERROR, "a\x1b[2J", "b\x07", "c\x1b", "d\x9b")], None, with_ok=False)

    assert not set("\x1b\x07\x9b") & set(capsys.readouterr().out)


def test_an_address_at_which_nobody_answers_is_an_error(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["doctor", "--json", "--address", f"127.0.0.1:{free_port()}"])

    (found,) = [each for each in json.loads(capsys.readouterr().out)["findings"] if each["check"] == "answers"]
    assert code == 1 and found["severity"] == ERROR


def test_what_is_the_same_for_several_nodes_is_told_once_with_their_names() -> None:
    findings = [Finding(NOTE, "disk", where, "full", "empty it") for where in ("here", "a", "b")]
    other = Finding(NOTE, "disk", "c", "nearly full", "empty it")

    assert alike_together([*findings, other]) == [Finding(NOTE, "disk", "here, a, b", "full", "empty it"), other]
