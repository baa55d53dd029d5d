"""The dashboard's API against its own OpenAPI document, by a fuzzer that knows nothing else of it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.programs import Programs
from tests.integration.shells import Shells

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("schemathesis") is None,
        reason="schemathesis is not installed: pip install schemathesis",
    ),
]

TOKEN = "a-token-of-some-length"
# Texts of these have a form that no JSON schema can tell: pairs of tags, durations, times of day.
SEARCHES = r"^/api/(v1/|v3/)?trace(s|-summaries)$"
# One takes as long as it is asked to, and there is one at a time.
PROFILES = r"/profile$"


def fuzz(url: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run schemathesis; what it says."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {TOKEN}", "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", "15", "--seed", "7", "--generation-database", "none", "--no-color", "--warnings", "off"),
        *("--request-timeout", "60", "--continue-on-failure", *arguments),
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


def test_every_answer_is_as_the_document_says_whatever_is_asked(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        nodes, address = shells.start("--nodes", "2", "--tracing")
        dashboard = shells.command("dashboard", "--port", "0", "--token", TOKEN, "--read-only", "--address", address)
        url = dashboard.wait_for("dashboard at").split()[-1].partition("/?")[0]
        try:
            strict = fuzz(url, tmp_path, "--exclude-path-regex", f"{SEARCHES}|{PROFILES}")
            searches = fuzz(
                url, tmp_path, "--include-path-regex", SEARCHES, "--exclude-checks", "positive_data_acceptance"
            )
        finally:
            dashboard.interrupt()
            dashboard.wait()
            nodes.interrupt()
            nodes.wait()

    for found in (strict, searches):
        assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
        assert "No issues found" in found.stdout or "passed" in found.stdout
    assert "Traceback" not in dashboard.output
