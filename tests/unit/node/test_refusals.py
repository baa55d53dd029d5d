"""Tests of refusals: each has a kind out of a fixed list, is counted, and cannot fill a log."""

from __future__ import annotations

import ast
import logging

import pytest

from partisan_actors.errors import AuthenticationError, ProtocolError
from partisan_actors.messages import tag_of
from partisan_actors.node.refusals import CLOSED, KINDS, OTHERS, Refusals, kind_of
from partisan_actors.protocols.broadcast.plumtree import Prune
from partisan_actors.wire.frames import not_ours
from tests.house.source import package_sources


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, CLOSED),
        (ConnectionResetError("gone"), CLOSED),
        (AuthenticationError("a", "refused us: the cookies differ"), "refused by the other side"),
        (AuthenticationError("cookies", "protocol version 2, this node speaks 1"), "protocol version"),
        (ProtocolError(not_ours(0x0316)), "TLS, and there is none here"),
        (ProtocolError(not_ours(5)), "another protocol"),
        (ProtocolError("unexpected message in the handshake"), "malformed handshake"),
        (ProtocolError("frame of kind 9 out of place"), "frame out of place"),
        (ProtocolError(f"{tag_of(Prune(None))}: bad addresses in a node id"), "malformed control message"),
        (ProtocolError("what nobody has thought of"), OTHERS),
    ],
    ids=str,
)
def test_the_kind_of_an_error_is_what_its_text_says(error: BaseException | None, kind: str) -> None:
    assert kind_of(error) == kind


def test_every_breach_of_the_protocol_that_a_peer_is_told_of_has_a_kind() -> None:
    errors = [
        node.args[0]
        for source in package_sources()
        if "ProtocolError(" in source.text
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "ProtocolError" and node.args
    ]
    texts = [
        "7".join(part.value for part in getattr(error, "values", [error]) if isinstance(part, ast.Constant))
        for error in errors
        if isinstance(error, (ast.Constant, ast.JoinedStr))
    ]

    assert len(texts) > 30
    # Those that begin with the name of a control message are known by that.
    unknown = [text for text in texts if kind_of(ProtocolError(text)) == OTHERS and not text.startswith(": ")]
    assert unknown == []


def test_they_are_counted_by_kind_and_by_whether_it_was_after_the_handshake() -> None:
    refusals = Refusals()

    for _ in range(3):
        refusals.refused(ProtocolError("malformed hello"))
    refusals.broke("b~1", ProtocolError("frame of kind 9 out of place"))

    assert refusals.facts() == [
        {"kind": "malformed handshake", "after_handshake": False, "count": 3, "first": "malformed hello"},
        {
            "kind": "frame out of place",
            "after_handshake": True,
            "count": 1,
            "first": "node b~1: frame of kind 9 out of place",
        },
    ]


def test_the_log_has_the_first_and_then_ever_fewer(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()

    with caplog.at_level(logging.WARNING):
        for _ in range(12_345):
            refusals.refused(AuthenticationError("x", "the cookies differ"))
            refusals.refused(ConnectionResetError("gone"))

    counts = [int(record.getMessage().split("cookie, ")[1].split()[0]) for record in caplog.records]
    assert counts == [1, 10, 100, 1000, 10_000]


def test_what_strangers_say_makes_no_kinds_and_is_cut() -> None:
    refusals = Refusals()

    for number in range(1000):
        refusals.refused(AuthenticationError("x", f"refused us: {number} {'lies' * 1000}"))
        refusals.refused(AuthenticationError(str(number), f"whatever {number}"))

    assert {fact["kind"] for fact in refusals.facts()} == {"refused by the other side", OTHERS}
    assert all(len(fact["first"]) <= 500 for fact in refusals.facts()) and len(KINDS) < 40
