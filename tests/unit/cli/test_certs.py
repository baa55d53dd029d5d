"""Tests of `partisan certs`: what it makes is what nodes take, and nobody else can read the keys."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from partisan_actors.cli.certificates import facts_of
from partisan_actors.cli.main import run
from partisan_actors.node.tls import Credentials, TlsFiles
from tests.authority import Authority


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command that must end well says with --json."""
    assert run(["certs", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Its exit code, and the one line that it says."""
    code = run(["certs", *arguments])
    (line,) = capsys.readouterr().err.splitlines()
    return code, line


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_init_makes_what_any_node_can_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "folder"

    facts = said(capsys, "init", str(folder))

    assert facts["names"] == ["partisan://*/*"] and not facts["is_ca"] and not facts["problem"]
    assert Credentials(TlsFiles.of_directory(folder), "anybody", pytest.fail).names == ("partisan://*/*",)
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "ca.key": 0o600,
        "ca.pem": 0o644,
        "node.key": 0o600,
        "node.pem": 0o644,
    }
    assert mode(folder) == 0o700


def test_issue_makes_one_for_a_node_its_workers_and_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "init", str(tmp_path), "--cluster", "prod")

    facts = said(capsys, "issue", str(tmp_path), "--name", "web", "--cluster", "prod", "--out", str(tmp_path / "web"))

    assert facts["names"] == ["partisan://prod/web", "partisan://prod/web-w*", "partisan://prod/observer-*"]
    for node in ("web", "web-w3", "observer-0a1b"):
        Credentials(TlsFiles.of_directory(tmp_path / "web"), node, pytest.fail)
    assert not (tmp_path / "web" / "ca.key").exists(), "the CA's key stays where it is"


def test_a_second_init_never_replaces_a_ca(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "init", str(tmp_path))
    before = (tmp_path / "ca.key").read_bytes()

    code, line = refused(capsys, "init", str(tmp_path))

    assert code == 2 and "partisan certs issue" in line and (tmp_path / "ca.key").read_bytes() == before


def test_days_say_how_long_it_is_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = said(capsys, "init", str(tmp_path), "--days", "30")

    left = datetime.fromisoformat(facts["ends"]) - datetime.now(UTC)
    assert timedelta(days=29.9) < left <= timedelta(days=30)


def test_show_tells_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "init", str(tmp_path))

    node, ca = said(capsys, "show", str(tmp_path))
    (alone,) = said(capsys, "show", str(tmp_path / "ca.pem"))

    assert node["names"] == ["partisan://*/*"] and ca["is_ca"] and alone == ca
    assert run(["certs", "show", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "for      partisan://*/*" in text and node["sha256"] in text


def test_show_says_that_one_has_expired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = Authority(tmp_path).issue(now=datetime.now(UTC) - timedelta(days=9))
    early = facts_of(Path(files.cert), now=datetime.now(UTC) - timedelta(days=99))

    code, line = refused(capsys, "show", files.cert)

    assert code == 1 and "it has expired" in line
    assert early.problem == "it is not valid yet"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["init", "{there}", "--name", "a/b"], "letters, digits"),
        (["init", "{there}", "--days", "0"], "--days"),
        (["issue", "{there}/nowhere"], "ca.pem"),
        (["show", "{there}/nowhere"], "No such file"),
        (["show", "{there}"], "node.pem or ca.pem"),
        (["init"], "DIRECTORY"),
    ],
)
def test_mistakes_get_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], part: str
) -> None:
    code, line = refused(capsys, *(argument.format(there=tmp_path) for argument in arguments))

    assert code == 2 and part in line


@pytest.mark.parametrize("content", [b"", b"no key"])
def test_a_ca_whose_key_is_damaged_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    said(capsys, "init", str(tmp_path))
    (tmp_path / "ca.key").write_bytes(content)

    code, line = refused(capsys, "issue", str(tmp_path))

    assert code == 2 and str(tmp_path / "ca.key") in line


def test_another_ca_s_key_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        said(capsys, "init", str(tmp_path / name))
    (tmp_path / "one" / "ca.key").write_bytes((tmp_path / "two" / "ca.key").read_bytes())

    code, line = refused(capsys, "issue", str(tmp_path / "one"))

    assert code == 2 and "the private key of ca.pem" in line


def test_without_cryptography_the_line_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from partisan_actors.cli.main import run\n"
        "sys.exit(run(['certs', 'show', '.']))"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=150, check=False)

    assert result.returncode == 1 and "pip install 'partisan-actors[tls]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1
