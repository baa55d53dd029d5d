"""The fields of who logs, and the two formats that have them."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from partisan_actors.api.log_fields import FIELDS, STAMP, JsonFormatter, LogFields, TextFormatter
from partisan_actors.telemetry.context import TraceContext, current_context

WHO = {
    "node": "n",
    "actor_id": "actor:n~1/1",
    "actor_class": "Shop",
    "trace_id": "0" * 31 + "7",
    "span_id": "0" * 15 + "9",
    "trace_flags": "03",
}


def record(message: str = "sold %s", *args: Any, who: dict[str, str] | None = None, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.WARNING, __file__, 1, message, args or ("apples",), None)
    made.created = 1_700_000_000.25
    if who is not None:
        setattr(made, STAMP, who)
    vars(made).update(extra)
    return made


def failed(message: str) -> logging.LogRecord:
    try:
        raise ValueError("no")
    except ValueError as error:
        made = logging.LogRecord(
            "shop", logging.ERROR, __file__, 1, message, (), (ValueError, error, error.__traceback__)
        )
    return made


def test_a_filter_gives_every_record_all_fields_empty_where_there_is_nothing() -> None:
    whole, bare = record(who=WHO), record()

    assert LogFields().filter(whole) is LogFields().filter(bare) is True

    assert {name: getattr(whole, name) for name in FIELDS} == WHO
    assert {getattr(bare, name) for name in FIELDS} == {""}


def test_what_a_program_says_itself_counts() -> None:
    mine = record(who=WHO, node="mine")

    LogFields().filter(mine)

    assert (vars(mine)["node"], vars(mine)["actor_class"]) == ("mine", "Shop")
    assert json.loads(JsonFormatter().format(mine))["node"] == "mine"


def test_a_record_that_nobody_has_stamped_has_the_trace_in_which_it_is_handled() -> None:
    made = record()
    token = current_context.set(TraceContext(7, 9, 3))
    try:
        LogFields().filter(made)
    finally:
        current_context.reset(token)

    found = [vars(made)[name] for name in ("trace_id", "span_id", "trace_flags")]
    assert found == [WHO["trace_id"], WHO["span_id"], "03"]


def test_json_has_what_there_is_on_one_line() -> None:
    line = JsonFormatter().format(record("sold\n%s", "äpfel", who=WHO, price=3, basket=["a"]))

    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "WARNING",
        "logger": "shop",
        "message": "sold\näpfel",
        **WHO,
        "price": 3,
        "basket": "['a']",
    }
    assert set(json.loads(JsonFormatter().format(record()))) == {"time", "level", "logger", "message"}


def test_json_has_a_traceback_and_values_that_cannot_be_shown_are_no_harm() -> None:
    class Unshowable:
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert "ValueError: no" in json.loads(JsonFormatter().format(failed("it failed")))["exception"]
    assert json.loads(JsonFormatter().format(record(what=Unshowable())))["what"].startswith("(RuntimeError")


def test_text_ends_with_who_it_was_and_the_traceback_follows() -> None:
    whole = TextFormatter().format(record(who=WHO))

    assert whole.partition(" ")[2].partition(" ")[2] == (
        f"WARNING shop: sold apples [node=n actor=Shop id=actor:n~1/1 trace={WHO['trace_id']} span={WHO['span_id']}]"
    )
    assert TextFormatter().format(record()).endswith("WARNING shop: sold apples")
    assert "it failed\nTraceback" in TextFormatter().format(failed("it failed"))


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_a_format_does_not_care_whether_the_filter_was_there(formatter: logging.Formatter) -> None:
    plain, filtered = record(who=WHO), record(who=WHO)
    LogFields().filter(filtered)

    assert formatter.format(plain) == formatter.format(filtered)
