"""The public face under mypy --strict (with the plugin) and basedpyright: what they accept, and what they report.

The samples beside this file are checked, never run. In `bad_*.py`, `# error` ends each line that both must report, and
`# error: NAME` each that only checker NAME reports. `ok_mypy_*.py` is for mypy alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from partisan_actors.api.options import ActorKeywords, ActorOptions, TaskKeywords, TaskOptions

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = Path(__file__).resolve().parent
CHECK_S_MAX = 240
MARK = re.compile(r"# error(?:: (?P<checker>\w+))?$")

# Each checker runs once, over all samples, in one worker.
pytestmark = [pytest.mark.xdist_group("typing"), pytest.mark.timeout(2 * CHECK_S_MAX)]

Report = dict[str, dict[int, str]]


def samples(checker: str, prefix: str) -> list[Path]:
    found = sorted(SAMPLES.glob(f"{prefix}_*.py"))
    return [path for path in found if checker == "mypy" or not path.name.startswith("ok_mypy_")]


def cases(prefix: str) -> list[Any]:
    return [
        pytest.param(checker, path, id=f"{checker}-{path.stem}")
        for checker in CHECKERS
        for path in samples(checker, prefix)
    ]


def run(*command: str) -> str:
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=CHECK_S_MAX,
        check=False,
    )
    # 0: nothing to report, 1: something to report, anything else: it could not do its work.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def run_mypy(scratch: Path) -> Report:
    config = scratch / "mypy.ini"
    config.write_text("[mypy]\nstrict = True\nplugins = partisan_actors.typing_plugin\n")
    paths = [str(path) for prefix in ("ok", "bad") for path in samples("mypy", prefix)]
    cache = ROOT / ".mypy_cache" / "typing_samples"
    output = run("mypy", f"--config-file={config}", f"--cache-dir={cache}", "--output=json", *paths)
    report: Report = {Path(path).name: {} for path in paths}
    for line in output.splitlines():
        found = json.loads(line)
        if found["severity"] == "error":
            # A problem elsewhere would be one of the package, which `mypy --strict partisan_actors` reports.
            report.setdefault(Path(found["file"]).name, {})[found["line"]] = found["message"]
    return report


def run_basedpyright(scratch: Path) -> Report:
    config = scratch / "pyrightconfig.json"
    paths = [str(path) for prefix in ("ok", "bad") for path in samples("basedpyright", prefix)]
    config.write_text(
        json.dumps(
            {"include": paths, "extraPaths": [str(ROOT)], "pythonVersion": "3.11", "typeCheckingMode": "standard"}
        )
    )
    found = json.loads(run("basedpyright", "--project", str(config), "--pythonpath", sys.executable, "--outputjson"))
    assert found["summary"]["filesAnalyzed"] == len(paths)
    report: Report = {Path(path).name: {} for path in paths}
    for each in found["generalDiagnostics"]:
        if each["severity"] == "error":
            report[Path(each["file"]).name][each["range"]["start"]["line"] + 1] = each["message"]
    return report


CHECKERS: dict[str, Callable[[Path], Report]] = {"mypy": run_mypy, "basedpyright": run_basedpyright}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    return {name: check(tmp_path_factory.mktemp(name)) for name, check in CHECKERS.items()}


@pytest.mark.parametrize(("keywords", "options"), [(ActorKeywords, ActorOptions), (TaskKeywords, TaskOptions)])
def test_the_checkers_know_every_option(keywords: type, options: type) -> None:
    assert set(keywords.__annotations__) == {field.name for field in fields(options)}


def marked_lines(path: Path, checker: str) -> set[int]:
    marks = ((number, MARK.search(line)) for number, line in enumerate(path.read_text().splitlines(), start=1))
    return {number for number, mark in marks if mark is not None and mark["checker"] in (None, checker)}


@pytest.mark.parametrize(("checker", "path"), cases("ok"))
def test_checker_objects_to_nothing_in_a_correct_program(checker: str, path: Path, reports: dict[str, Report]) -> None:
    assert reports[checker][path.name] == {}


@pytest.mark.parametrize(("checker", "path"), cases("bad"))
def test_checker_reports_each_mistake_and_nothing_else(checker: str, path: Path, reports: dict[str, Report]) -> None:
    expected = marked_lines(path, checker)

    reported = reports[checker][path.name]

    assert expected
    assert {line: text for line, text in reported.items() if line not in expected} == {}
    assert expected - reported.keys() == set()
