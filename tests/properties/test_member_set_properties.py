"""`MemberSet` is a lattice, and over random histories it says what an observed-remove set with unique tokens would."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.ids import NodeId
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.member_set import MemberSet

PEERS = st.builds(NodeId, st.sampled_from("abcd"), st.integers(1, 3))
ENTRIES = st.lists(st.tuples(PEERS, st.integers(1, 6)), max_size=8)
Entries = list[tuple[NodeId, int]]
common = settings(max_examples=100, deadline=None)


def of(*states: Entries) -> MemberSet:
    made = MemberSet(removed_max=64)
    for entries in states:
        made.merge(entries)
    return made


def merged(one: MemberSet, other: MemberSet) -> MemberSet:
    made = MemberSet(removed_max=64)
    made.merge(one.entries())
    made.merge(other.entries())
    return made


def value(members: MemberSet) -> list[tuple[Peer, int]]:
    return sorted(members.entries(), key=str)


@common
@given(ENTRIES, ENTRIES)
def test_merge_is_commutative(one: Entries, other: Entries) -> None:
    assert value(merged(of(one), of(other))) == value(merged(of(other), of(one)))


@common
@given(ENTRIES, ENTRIES, ENTRIES)
def test_merge_is_associative(one: Entries, two: Entries, three: Entries) -> None:
    left = merged(merged(of(one), of(two)), of(three))
    right = merged(of(one), merged(of(two), of(three)))

    assert value(left) == value(right)


@common
@given(ENTRIES)
def test_merge_is_idempotent(entries: Entries) -> None:
    members = of(entries)

    assert members.merge(members.entries()) == []
    assert value(merged(members, members)) == value(members)


class Tokens:
    """The reference: every add has a token of its own, a removal covers the tokens its author has seen."""

    def __init__(self) -> None:
        self.added: dict[str, set[int]] = {}
        self.removed: set[int] = set()

    def merge(self, other: Tokens) -> None:
        for name, tokens in other.added.items():
            self.added.setdefault(name, set()).update(tokens)
        self.removed |= other.removed

    def present(self) -> list[str]:
        return sorted(name for name, tokens in self.added.items() if tokens - self.removed)


# (what, which replica, whom or from whom): replica number n is the node named "abcde"[n], and adds only itself.
HISTORY = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "merge"]), st.integers(0, 4), st.integers(0, 4)), max_size=40
)


@settings(max_examples=300, deadline=None)
@given(HISTORY)
def test_a_member_is_in_exactly_when_some_add_of_it_was_not_seen_by_a_removal(
    history: list[tuple[str, int, int]],
) -> None:
    replicas = [MemberSet(removed_max=64) for _ in "abcde"]
    references = [Tokens() for _ in "abcde"]

    for token, (what, one, other) in enumerate(history):
        replica, reference = replicas[one], references[one]
        if what == "add":
            replica.add(NodeId("abcde"[one], 1))
            reference.added.setdefault("abcde"[one], set()).add(token)
        elif what == "remove":
            replica.remove(NodeId("abcde"[other], 1))
            reference.removed |= reference.added.get("abcde"[other], set())
        else:
            replica.merge(replicas[other].entries())
            reference.merge(references[other])
        assert sorted(peer.name for peer in replica.members if isinstance(peer, NodeId)) == reference.present()


@common
@given(st.lists(ENTRIES, min_size=2, max_size=5), st.permutations(range(5)), st.integers(0, 4))
def test_replicas_converge_whatever_the_order_and_however_often(
    states: list[Entries], order: list[int], again: int
) -> None:
    straight = of(*states)
    shuffled = of(*[states[place] for place in order if place < len(states)], states[again % len(states)])

    assert value(shuffled) == value(straight)
