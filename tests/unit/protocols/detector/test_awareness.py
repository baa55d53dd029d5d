"""Tests of local health."""

from __future__ import annotations

from partisan_actors.protocols.detector.awareness import Awareness


def test_a_healthy_node_takes_its_usual_time() -> None:
    assert Awareness(8).factor == 1


def test_health_stays_within_its_bounds() -> None:
    health = Awareness(3)

    health.better()
    assert health.score == 0
    health.worse(2)
    health.worse(5)

    assert health.score == 3 and health.factor == 4
    health.better()
    assert health.factor == 3


def test_with_no_room_at_all_it_is_always_healthy() -> None:
    health = Awareness(0)

    health.worse()

    assert health.factor == 1
