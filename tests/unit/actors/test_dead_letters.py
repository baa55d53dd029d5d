"""Dead letters: for whom, and why, in few words."""

from __future__ import annotations

import pytest

from partisan_actors.actors import dead_letters as module
from partisan_actors.actors.dead_letters import OTHER, UNKNOWN_CLASS, DeadLetters, Whom
from partisan_actors.actors.ref import Location
from partisan_actors.errors import ActorStopped, MailboxFull, NodeDown
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.telemetry.meters import OTHERS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

BANK = Location(ActorId(NodeId("a", 1), 7), "Bank", None, can_restart=False)


@pytest.fixture
def letters() -> DeadLetters:
    return DeadLetters(lambda: 0)


def test_they_are_counted_by_class_and_reason(letters: DeadLetters) -> None:
    letters.add(BANK, "tell", NodeDown("b", "it is gone"), "a")
    letters.add(BANK, "tell", NodeDown("c", "it is gone"), "a")
    letters.add(BANK, "pay", AttributeError("it has no such method"), "a")
    letters.add(Whom.of("Bank", "Bank (actor:a~1/7)"), "tell", ActorStopped("it", "it was killed"), "a")
    letters.add("actor with key ab", "tell", MailboxFull("it", 3), "a")
    letters.add("actor with key ab", "tell", "its large arguments did not arrive", "a")

    assert letters.counts == {
        ("Bank", "node down"): 2,
        ("Bank", "no such method"): 1,
        ("Bank", "actor ended"): 1,
        (UNKNOWN_CLASS, "mailbox full"): 1,
        (UNKNOWN_CLASS, OTHER): 1,
    }
    assert letters.count == sum(letters.counts.values()) == 6


def test_the_last_are_kept_as_texts(letters: DeadLetters) -> None:
    letters.add(BANK, "tell", ActorStopped("Bank", "it was killed"), "a")

    last = letters.last[-1]
    assert (last.whom, last.why) == (str(BANK), str(ActorStopped("Bank", "it was killed")))
    assert type(last.whom) is str and type(last.why) is str


def test_of_very_many_classes_the_later_ones_are_one(letters: DeadLetters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLASSES_MAX", 2)

    for name in ("A", "B", "C", "D", "A"):
        letters.add(Whom.of(name, name), "tell", "no", "a")

    assert letters.counts == {("A", OTHER): 2, ("B", OTHER): 1, (OTHERS, OTHER): 2}


def test_one_is_taken_out_by_its_number_and_what_it_held_is_not_told(letters: DeadLetters) -> None:
    message = pack([Kind.TELL, BANK.key, "pay", 3])
    letters.add(BANK, message, MailboxFull("it", 3), "a")
    letters.add(BANK, "pay", MailboxFull("it", 3), "a")

    assert [each.plain()["may_resend"] for each in letters.last] == [True, False]
    assert "parcel" not in letters.last[0].plain() and letters.last[0].actor == str(BANK.actor)
    taken = letters.take(1)
    assert taken is not None and taken.parcel == message and taken.method == "pay"
    assert letters.take(1) is None and len(letters.last) == 1 and letters.count == 2
