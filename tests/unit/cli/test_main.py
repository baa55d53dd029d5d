"""Tests of the door: help, exit codes, and one line for whatever goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

import partisan_actors
from partisan_actors.cli.main import SUBCOMMANDS, run


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTISAN_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PARTISAN_COOKIE_FILE", str(tmp_path / "cookie"))
    monkeypatch.delenv("PARTISAN_ADDRESS", raising=False)
    monkeypatch.delenv("PARTISAN_COOKIE", raising=False)


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_every_command_and_exit_code(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0

    output = capsys.readouterr().out
    for name in SUBCOMMANDS:
        assert f"\n  {name} " in output
    for code in ("0", "1", "2", "3", "4", "130"):
        assert f"\n    {code} " in output


def test_help_imports_no_command_and_no_node() -> None:
    program = "from partisan_actors.cli.main import run; run(['--help']); import sys; print(*sys.modules, sep='\\n')"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    loaded = set(output.splitlines())
    assert "partisan_actors.cli.lazy" in loaded
    assert not loaded & {"asyncio", "rich", "partisan_actors.cli.start", "partisan_actors.node.node"}


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_the_list_of_commands_says_what_the_command_says_of_itself(name: str) -> None:
    command = SUBCOMMANDS[name].load()

    assert isinstance(command, click.Command) and command.name == name
    assert (command.help or "").splitlines()[0] == SUBCOMMANDS[name].summary


def command_lines() -> list[list[str]]:
    """Every command as it is typed, with the subcommands of groups."""
    lines = []
    for name, subcommand in SUBCOMMANDS.items():
        command = subcommand.load()
        inner = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else ()
        lines += [[name, each] for each in inner] or [[name]]
    return lines


@pytest.mark.parametrize("line", command_lines())
def test_every_command_has_help_and_json(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*line, "--help"]) == 0

    assert ("--json" in capsys.readouterr().out) != (line == ["shell"])  # which prints what users print


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0

    assert partisan_actors.__version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["statsu"], 2, "did you mean 'status'"),
        (["frobnicate"], 2, "no command 'frobnicate'"),
        (["--frobnicate"], 2, "--frobnicate"),
        (["status", "--frobnicate"], 2, "see partisan status --help"),
        (["status", "surplus"], 2, "surplus"),
        (["status"], 3, "partisan start"),
        (["members"], 3, "partisan start"),
        (["overlay"], 3, "partisan start"),
        (["actors"], 3, "partisan start"),
        (["stop"], 3, "partisan start"),
        (["status", "--cluster", "blue"], 3, "'blue'"),
        (["status", "--address", "nonsense"], 2, "HOST:PORT"),
        (["status", "--address", "127.0.0.1:1"], 3, "127.0.0.1:1"),
        (["status", "--cookie-file", "/nowhere/at/all"], 2, "/nowhere/at/all"),
        (["start", "--join", "nonsense"], 2, "HOST:PORT"),
        (["start", "--join", "auto"], 3, "no cluster"),
        (["start", "--bind", "127.0.0.1:99999"], 2, "127.0.0.1:99999"),
        (["start", "--bind", "127.0.0.1:1", "--port", "2"], 2, "only one of the two"),
        (["start", "--nodes", "0"], 2, "--nodes"),
        (["start", "--overlay", "ring"], 2, "ring"),
        (["start", "--resource", "gpu"], 2, "KEY=VALUE"),
        (["start", "--resource", "gpu=many"], 2, "not a number"),
        (["start", "--name", "no blanks"], 2, "name"),
        (["start", "--log-file", "x"], 2, "--detach"),
    ],
)
def test_what_is_wrong_is_one_line_on_stderr_and_an_exit_code(
    arguments: list[str], code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == code

    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("partisan: ") and text in line


def test_with_json_the_error_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--json"]) == 3

    error = json.loads(capsys.readouterr().err)
    assert error["code"] == 3 and "partisan start" in error["error"]


def test_the_address_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARTISAN_ADDRESS", "127.0.0.1:1")

    assert run(["status"]) == 3

    assert "cannot reach 127.0.0.1:1" in capsys.readouterr().err


def test_the_package_is_a_program_too() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "partisan_actors", "--version"], capture_output=True, text=True, check=True
    )

    assert partisan_actors.__version__ in result.stdout


@pytest.mark.parametrize("line", [["actors", "ls"], ["config", "set", "log_level", "INFO"], ["dead-letters", "resend"]])
def test_options_in_front_of_a_subcommand_are_refused_and_not_ignored(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([line[0], "--cluster", "other", *line[1:]]) == 2

    assert f"--cluster stands before {line[1]}: options of {line[1]} come behind it" in capsys.readouterr().err
