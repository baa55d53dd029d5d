"""How a process logs: chosen once, told to the processes that it starts, and undone at the end."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from partisan_actors.api.log_choice import LINE, LOG_LINE, LogChoice, chosen_format, chosen_line
from partisan_actors.errors import ConfigError


@pytest.fixture(autouse=True)
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_a_format_takes_the_place_of_what_there_was_until_the_end(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    before, level = list(root.handlers), root.level
    choice = LogChoice("INFO", "json")

    choice.begin()
    logging.getLogger("shop").info("open")
    assert chosen_format() == "json"
    choice.end()
    choice.end()

    assert json.loads(capsys.readouterr().err)["message"] == "open"
    assert root.handlers == before and root.level == level and chosen_format() is None


def test_who_chooses_nothing_changes_nothing(root: logging.Logger) -> None:
    before, level = list(root.handlers), root.level

    LogChoice("INFO").begin()

    assert root.handlers == before and root.level == level


def test_a_process_of_ours_is_told_and_logs_so(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    told = LogChoice.of_settings(json.loads(json.dumps(LogChoice("INFO", "text").plain())))

    told.use(anew=True)
    logging.getLogger("shop").info("open")
    LogChoice("INFO").use(anew=True)
    assert chosen_line() == LINE
    logging.getLogger("shop").info("closed")

    first, second = capsys.readouterr().err.splitlines()
    # Who it is of follows, when this process has had a node.
    assert "INFO shop: open" in first and second == "closed"


def test_nodes_of_a_log_write_time_and_level_and_so_do_the_processes_they_start(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    LogChoice.of_settings(LogChoice("INFO", None, LOG_LINE).plain()).use(anew=True)
    logging.getLogger("shop").info("open")

    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ INFO shop: open\n", capsys.readouterr().err)
    assert chosen_line() == LOG_LINE and chosen_format() is None


def test_a_formatter_of_a_users_own_is_none_of_ours(root: logging.Logger) -> None:
    class Own(logging.Formatter):
        def __init__(self) -> None:
            """As some do, which call nobody else's."""

    handler = logging.StreamHandler()
    handler.setFormatter(Own())
    root.addHandler(handler)

    assert chosen_line() == LINE and chosen_format() is None


def test_another_format_is_refused() -> None:
    with pytest.raises(ConfigError, match="'text', 'json'"):
        LogChoice("INFO", "xml")
