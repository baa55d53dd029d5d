"""Programs written for Ray run on `partisan_actors.compat.ray`; and give the same on Ray itself, where there is one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import partisan_actors.compat.ray as ray
from tests.integration.programs import ROOT
from tests.integration.ray_programs import PROGRAMS, outcome


@pytest.fixture(scope="module", autouse=True)
def _session() -> Iterator[None]:
    with ray.init(num_cpus=4):
        yield


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_program_for_ray_gives_what_it_would_there(program: Callable[[], Any]) -> None:
    assert outcome(program) == PROGRAMS[program]


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed here")
def test_ray_itself_gives_the_same() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.integration.ray_programs"],
        cwd=ROOT,
        env={**os.environ, "RAY_MODULE": "ray"},
        capture_output=True,
        text=True,
        timeout=170,
        check=True,
    )

    assert json.loads(result.stdout.splitlines()[-1]) == {each.__name__: value for each, value in PROGRAMS.items()}
