"""Texts of actors, monitors and nodes mean what they were made of, and no other text means anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partisan_actors.actors.references import TEXT_MAX, ActorText, format_actor, parse
from partisan_actors.errors import ConfigError
from partisan_actors.ids import ActorId, MonitorId, NodeId

NODES = st.builds(NodeId, st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True), st.integers(0, 2**63))
NUMBERS = st.integers(0, 2**32 - 1)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ACTORS = st.builds(
    ActorText,
    st.builds(ActorId, NODES, NUMBERS),
    WORDS,
    st.none() | WORDS.filter(bool),
    st.none() | NODES,
    st.booleans(),
)


@given(ACTORS)
def test_an_actor_is_what_its_text_says(actor: ActorText) -> None:
    assert parse(format_actor(actor)) == actor


@given(st.builds(MonitorId, NODES, NUMBERS) | NODES | st.builds(ActorId, NODES, NUMBERS))
def test_an_id_is_what_its_text_says(identity: object) -> None:
    found = parse(str(identity))

    assert (found.actor if isinstance(found, ActorText) else found) == identity


@given(st.text() | st.binary() | st.from_regex(r"(actor|monitor|node):\S*~?\S*/?\S*\??\S*", fullmatch=True))
def test_any_other_text_is_one_clear_error(text: object) -> None:
    try:
        found = parse(text)
    except ConfigError:
        with pytest.raises(ConfigError, match="expected the text of an actor"):
            parse(text)
    else:
        assert isinstance(text, str) and isinstance(found, (ActorText, MonitorId, NodeId))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "actor:",
        "n1",
        "n1~",
        "~5",
        "n1~5x",
        "n1~5?at=n2~1",
        "actor:n1~5",
        "actor:n1~5/",
        "actor:n1~5/-1",
        "actor:n1~5/1_0",
        "actor:n1~5/1?",
        "actor:n1~5/1?at=n2",
        "actor:n1~5/1?at=n2~1&at=n3~1",
        "actor:n1~5/1?restarts=2",
        "actor:n1~5/1?code=cos",
        "actor:n1~5/1?name=%ff",
        "actor:n1~5/1/2",
        "monitor:n1~5/1?at=n2~1",
        "object:n1~5/1",
        "actor:n1~" + "5" * 17 + "/1",
        "actor:n1~5/1?name=" + "x" * TEXT_MAX,
        " n1~5",
        "n1~5\n",
        None,
        7,
    ],
)
def test_what_is_nearly_right_is_wrong(text: object) -> None:
    with pytest.raises(ConfigError, match="is not valid: expected the text of an actor"):
        parse(text)
