"""Tests of how members are shown."""

from __future__ import annotations

from partisan_actors.cli.members import resources_text


def test_free_and_total_of_each_resource_are_shown_but_memory() -> None:
    total = {"num_cpus": 2.0, "memory": 1e9, "gpu": 1.0}

    assert resources_text({"num_cpus": 0.5}, total) == "gpu 0/1, num_cpus 0.5/2"


def test_who_offers_nothing_shows_nothing() -> None:
    assert resources_text({}, {}) == ""
