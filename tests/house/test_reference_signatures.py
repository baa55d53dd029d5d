"""What the reference says of each name is what there is: parameters and defaults, options, commands, variables."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import re
from collections.abc import Iterator
from typing import Any, Final

import click

import partisan_actors as pa
from partisan_actors.actors.method_options import MethodOptions
from partisan_actors.api.options import ActorOptions, TaskOptions
from partisan_actors.cli.main import partisan
from tests.house.source import PACKAGE, ROOT

API: Final = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
CLI: Final = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")

# A row of a table whose first cell is a name with its parameters: "| `get(refs, *, timeout=None)` | ... |".
_CALL: Final = re.compile(r"^\|\s*`([A-Za-z_]\w*)\(([^`]*)\)`\s*\|", re.MULTILINE)
_VARIABLE: Final = re.compile(r"PARTISAN_[A-Z]+(?:_[A-Z]+)*")
_OPTION: Final = re.compile(r"`(--[a-z][a-z-]*)")

# These take what they decorate, or a call of their own, so the page shows how they are written.
_WRITTEN_OTHERWISE: Final = {"actor", "task", "method", "faults", "JsonFormatter", "TextFormatter", "LogFields"}


def table(page: str, head: str) -> list[list[str]]:
    """The cells of the rows of the first table whose head begins so."""
    lines = page[page.index(f"\n{head}") + 1 :].splitlines()
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines)
    return [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in rows][2:]


def parameters(text: str) -> list[tuple[str, str]]:
    """What stands between the parentheses of a signature, as names (with their stars) and defaults."""
    arguments = ast.parse(f"def _({text}): ...").body[0]
    assert isinstance(arguments, ast.FunctionDef)
    given = arguments.args
    defaults = [*[None] * (len(given.args) - len(given.defaults)), *given.defaults]
    return [
        *((each.arg, _text(default)) for each, default in zip(given.args, defaults, strict=True)),
        *([("*" + given.vararg.arg, "")] if given.vararg else []),
        *(
            ("*, " + each.arg, _text(default))
            for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        ),
        *([("**" + given.kwarg.arg, "")] if given.kwarg else []),
    ]


def _text(default: ast.expr | None) -> str:
    return "" if default is None else repr(ast.literal_eval(default))


def parameters_of(function: Any) -> list[tuple[str, str]]:
    """The same of what there is."""
    kinds = {"VAR_POSITIONAL": "*", "KEYWORD_ONLY": "*, ", "VAR_KEYWORD": "**"}
    found = inspect.signature(function).parameters.values()
    return [(kinds.get(each.kind.name, "") + each.name, _default(function, each)) for each in found]


def _default(function: Any, parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return ""
    if dataclasses.is_dataclass(function):
        factory = next(each for each in dataclasses.fields(function) if each.name == parameter.name).default_factory
        if factory is not dataclasses.MISSING:
            return repr(factory())
    return repr(parameter.default)


def wrong_signatures(page: str) -> Iterator[str]:
    """The rows of a page whose parameters are not those of the name. What ends in "..." may leave the rest out."""
    for name, text in _CALL.findall(page):
        if name in _WRITTEN_OTHERWISE:
            continue
        is_cut = text.endswith(", ...")
        listed = parameters(text.removesuffix(", ..."))
        there = parameters_of(getattr(pa, name))
        if listed != (there[: len(listed)] if is_cut else there):
            yield f"{name}{inspect.signature(getattr(pa, name))}"


def test_the_signatures_of_the_page_are_those_of_the_code() -> None:
    assert list(wrong_signatures(API)) == []


def test_a_signature_that_is_not_true_is_found() -> None:
    rows = "| `get(refs, *, timeout=1)` | x |\n| `kill(actor, no_restart=True)` | x |\n| `put(value)` | x |\n"

    assert [row.partition("(")[0] for row in wrong_signatures(rows)] == ["get", "kill"]


def test_every_parameter_of_init_has_a_row() -> None:
    listed = [name for row in table(API, "| parameter | default |") for name in row[0].split(", ")]

    assert sorted(listed) == sorted(inspect.signature(pa.init).parameters)


def test_every_option_of_actors_tasks_and_calls_has_a_row() -> None:
    of = {"actor": (ActorOptions,), "task": (TaskOptions,), "both": (ActorOptions, TaskOptions)}
    for row in table(API, "| option | of |"):
        for name in row[0].split(", "):
            for kind in of[row[1]]:
                assert name in {each.name for each in dataclasses.fields(kind)}, f"{name} of {row[1]}"

    listed = {
        kind: {n for row in table(API, "| option | of |") if kind in of[row[1]] for n in row[0].split(", ")}
        for kind in (ActorOptions, TaskOptions)
    }
    for kind, names in listed.items():
        assert names == {each.name for each in dataclasses.fields(kind)}, kind.__name__
    of_calls = {row[0] for row in table(API, "| option | default |")}
    assert of_calls == {each.name for each in dataclasses.fields(MethodOptions)}


def commands(command: click.Command = partisan, path: str = "partisan") -> Iterator[tuple[str, click.Command]]:
    """Every command and group of commands, with the words for it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{path} {name}")


def test_every_command_has_a_row_and_each_row_a_command_with_those_options() -> None:
    there = dict(commands())
    told = {path: options for row in table(CLI, "| command |") for path, options in _told(row).items()}

    assert {path for path, command in there.items() if not isinstance(command, click.Group)} - set(told) == set()
    for path, options in told.items():
        known = {option for parameter in there[path].params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert options - known == set(), path


def test_the_options_of_start_are_those_that_it_has() -> None:
    rows = table(CLI, "| options | what they decide |")
    told = {name for row in rows for name in _OPTION.findall(row[0])} | {"--nodes", "--join", "--detach"}

    of_start = dict(commands())["partisan start"].params
    assert told == {name for each in of_start for name in (*each.opts, *each.secondary_opts)} - {"--json", "--help"}


def _told(row: list[str]) -> dict[str, set[str]]:
    """The commands of a row, which may be several that differ in their last word, with the options that it names."""
    words = re.sub(r"`| [A-Z[].*", "", row[0].replace("\\|", "|")).split()
    options = set(_OPTION.findall(row[1]))
    told = {" ".join([*words[:-1], last]): options for last in words[-1].split("|")}
    return told | {same: set() for same in re.findall(r"`(partisan [a-z -]+)` is the same", row[1])}


def test_every_variable_that_is_read_is_told_and_each_that_is_told_is_read() -> None:
    read = {name for file in PACKAGE.rglob("*.py") for name in _VARIABLE.findall(file.read_text(encoding="utf-8"))}
    rows = " ".join(row[0] for row in table(CLI, "| environment |"))

    told = set(_VARIABLE.findall(rows)) | {f"PARTISAN_TLS_{name}" for name in ("CERT", "KEY", "CA")}
    assert told == read
