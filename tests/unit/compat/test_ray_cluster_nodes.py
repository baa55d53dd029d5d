"""What a node of `ray.cluster_utils.Cluster` says of itself among whatever else it prints."""

from __future__ import annotations

import pytest

from partisan_actors.compat.ray.cluster_utils import _facts_in


@pytest.mark.parametrize("line", ["{broken", '{"message": "of what it imports"}', "[1]", "up\n", ""])
def test_a_line_that_is_no_report_is_passed_over(line: str) -> None:
    assert _facts_in(line) is None


def test_the_report_is_found() -> None:
    facts = _facts_in('{"address": "127.0.0.1:1", "name": "n", "more": 1}\n')

    assert facts is not None and facts["address"] == "127.0.0.1:1"
