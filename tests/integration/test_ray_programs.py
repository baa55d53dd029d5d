"""Programs written for Ray see on `partisan_actors.compat.ray` what they saw on Ray, but for what is named.

What they saw there is kept beside them, with Ray's version; where Ray is installed, it can be recorded anew.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import partisan_actors.compat.ray as ray
from tests.ray_programs.__main__ import OPTIONS
from tests.ray_programs.differences import DIFFERENT
from tests.ray_programs.programs import PROGRAMS, agrees, recorded, seen_by

pytestmark = pytest.mark.timeout(300)

RECORDED = recorded()
# Of the others some take seconds.
QUICK = ("classics.", "actors.calling", "actors.handles", "tasks.calling", "tasks.results", "tasks.bad", "objects.")


@pytest.fixture(scope="module", autouse=True)
def _session() -> Iterator[None]:
    with ray.init(**OPTIONS):
        yield


@pytest.mark.parametrize(
    "name", [name if name.startswith(QUICK) else pytest.param(name, marks=pytest.mark.slow) for name in PROGRAMS]
)
def test_a_program_for_ray_sees_what_it_saw_there(name: str) -> None:
    seen, rays = seen_by(PROGRAMS[name]), RECORDED[name]

    assert seen.keys() == rays.keys()
    for what, value in seen.items():
        known = DIFFERENT.get((name, what))
        wanted = rays[what] if known is None else known[0]
        assert agrees(value, wanted), f"{what}: {value}, and not {wanted}"


def test_every_difference_is_one() -> None:
    for (name, what), (ours, why) in DIFFERENT.items():
        assert not agrees(ours, RECORDED[name][what]), (name, what)
        assert why
