"""Logging each kind of trouble once."""

from __future__ import annotations

import logging

import pytest

from partisan_actors.telemetry.complaints import Complaints, FirstOfItsKind

logger = logging.getLogger(__name__)


def test_a_text_is_logged_once_whatever_its_values(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints(logger)

    for number in range(3):
        complaints.say("lost %d spans", number)
    complaints.say("disk full")

    assert caplog.messages == ["lost 0 spans (said once)", "disk full (said once)"]


def test_the_filter_lets_the_first_record_of_each_template_through(caplog: pytest.LogCaptureFixture) -> None:
    first_only = FirstOfItsKind()
    logger.addFilter(first_only)
    try:
        for number in range(3):
            logger.warning("failed %d times", number)
            logger.warning("retrying")
    finally:
        logger.removeFilter(first_only)

    assert caplog.messages == ["failed 0 times", "retrying"]
