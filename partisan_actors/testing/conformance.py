"""`MembershipConformance`: what every membership strategy has to do, as tests for yours. Ours pass the same ones.

    class TestMyRing(MembershipConformance):
        def make(self, me, rng):
            return MyRing(me, MyRingOptions(), rng)

In a file that pytest collects this makes some twenty tests. The nodes are bare strategies in a `StrategyNetwork`, which
holds every effect against the rules of `MembershipStrategy`; time is virtual, and what fails is repeatable from the
seed that its text names. Nothing here needs pytest: the methods whose names begin with "test" can be called.

What a strategy does not promise it declares, by class attributes of the test: `connects`, `heals`, `forgets`,
`rejoins`. What all
have to do is: keep the rules, tell the truth about neighbours, agree about every link at both ends once at rest, forget
who left, ignore what they do not understand, and depend on nothing but their inputs and their random stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

from partisan_actors.ids import NodeId
from partisan_actors.messages import message, tag_of
from partisan_actors.protocols.machine import Evicted, Peer
from partisan_actors.protocols.membership.strategy import Evicting, MembershipStrategy, Superseding
from partisan_actors.testing.overlay_of import ConformanceFailed, OverlayOf, node_named, require, salted
from partisan_actors.testing.strategy_network import StrategyNetwork
from partisan_actors.testing.wire import through_bytes

__all__ = ["ConformanceFailed", "MembershipConformance"]


@message("conformance.foreign")
@dataclass(frozen=True, slots=True)
class Foreign:
    """A message of a protocol that no strategy knows."""

    peer: Peer


class MembershipConformance(OverlayOf):
    """Derive from this, give `make`, and restrict what your strategy claims (see `OverlayOf` for all there is)."""

    # The interface.

    def test_it_is_a_membership_strategy_whose_messages_are_registered(self) -> None:
        strategy = self.make(node_named(0), Random(0))

        require(isinstance(strategy, MembershipStrategy), f"{strategy!r} lacks a method of MembershipStrategy")
        declared = getattr(strategy, "messages", None)
        require(isinstance(declared, tuple), f"`messages` must be a tuple of message classes, not {declared!r}")
        for kind in declared or ():
            require(_is_registered(kind), f'{kind!r} is no message: give it @message("some.tag")')

    def test_neighbours_and_views_can_be_looked_at_from_the_beginning(self) -> None:
        strategy = self.make(node_named(0), Random(0))

        require(list(strategy.neighbours) == [], f"{list(strategy.neighbours)} are neighbours before the start")
        for name, view in strategy.views.items():
            require(isinstance(name, str), f"the name of a view is {name!r}, not a str")
            require(list(view) == [], f"view {name!r} has {list(view)} in it before the start")

    # Joining.

    def test_a_node_by_itself_has_no_neighbours(self) -> None:
        network = self._network(0)
        network.add(node_named(0))

        network.run(self.settle_s)

        require(not network.nodes[node_named(0)].neighbours, "a node that never joined has neighbours")

    def test_two_nodes_become_each_other_s_neighbours(self) -> None:
        for seed in self.seeds:
            network = self._grown(seed, 2, lambda rng, node, contacts: node_named(0))
            for one, other in ((0, 1), (1, 0)):
                neighbours = list(network.nodes[node_named(one)].neighbours)
                require(neighbours == [node_named(other)], f"seed {seed}: n{one} has the neighbours {neighbours}")

    def test_nodes_that_join_one_by_one_through_one_contact_are_one_overlay(self) -> None:
        for seed in self.seeds:
            self._grown(seed, self.nodes, lambda rng, node, contacts: node_named(0))

    def test_nodes_that_join_one_by_one_through_many_contacts_are_one_overlay(self) -> None:
        for seed in self.seeds:
            self._grown(seed, self.nodes, lambda rng, node, contacts: rng.choice(contacts))

    def test_nodes_that_join_all_at_once_through_one_contact_are_one_overlay(self) -> None:
        for seed in self.seeds:
            self._grown(seed, self.nodes, lambda rng, node, contacts: node_named(0), at_once=True)

    def test_nodes_that_join_all_at_once_through_each_other_are_one_overlay(self) -> None:
        for seed in self.seeds:
            self._grown(seed, self.nodes, lambda rng, node, contacts: rng.choice(contacts), at_once=True)

    def test_a_node_that_joins_twice_or_through_itself_is_no_worse_for_it(self) -> None:
        for seed in self.seeds:
            network = self._grown(seed, 4, lambda rng, node, contacts: node_named(0))
            network.join(node_named(1), node_named(0))
            network.join(node_named(1), node_named(1))
            self._settle(network, f"seed {seed}: after needless joins")

    # Failures.

    def test_a_failed_neighbour_is_reported_as_failed(self) -> None:
        for seed in self.seeds:
            network = self._overlay(seed)
            for node in list(network.nodes):
                for peer in list(network.nodes[node].neighbours):
                    if peer in network.nodes[node].neighbours:
                        network.fail(node, peer)  # the network checks the answer
                self._settle(network, f"seed {seed}: after {node} took all its neighbours for failed", self.heals)

    def test_peer_down_of_a_stranger_changes_no_neighbour(self) -> None:
        for seed in self.seeds:
            network = self._overlay(seed)
            before = list(network.nodes[node_named(1)].neighbours)

            network.fail(node_named(1), NodeId("stranger", 1))

            require(list(network.nodes[node_named(1)].neighbours) == before, f"seed {seed}: the neighbours changed")

    def test_after_three_of_ten_crashed_the_rest_are_one_overlay(self) -> None:
        if not self.heals:
            return
        for seed in self.seeds:
            network = self._overlay(seed)
            mortal = [node for node in network.nodes if isinstance(node, NodeId) and self.may_crash(node)]
            crashed = Random(seed).sample(mortal, min(len(mortal), self.nodes * 3 // 10))

            for node in crashed:
                network.kill(node)

            self._settle(network, f"seed {seed}: after {crashed} crashed")

    def test_halves_that_were_cut_off_from_each_other_grow_together_again(self) -> None:
        if not self.heals:
            return
        for seed in self.seeds:
            network = self._overlay(seed)
            halves = list(network.nodes)
            Random(seed).shuffle(halves)
            for left in halves[: len(halves) // 2]:
                for right in halves[len(halves) // 2 :]:
                    network.block(left, right)
            network.run(120.0)

            network.heal()

            self._settle(network, f"seed {seed}: after a partition of two minutes")

    def test_a_restarted_node_takes_the_place_of_its_former_life(self) -> None:
        if not self.rejoins:
            return
        for seed in self.seeds:
            network = self._overlay(seed)
            former, later = node_named(self.nodes - 1), node_named(self.nodes - 1, life=2)

            network.kill(former)
            network.add(later)
            network.join(later, node_named(0))

            self._settle(network, f"seed {seed}: after {former} was restarted as {later}")

    def test_a_former_life_is_forgotten_once_the_later_one_is_known(self) -> None:
        if not isinstance(self.make(node_named(0), Random(0)), Superseding):
            return
        for seed in self.seeds:
            network = self._overlay(seed)
            former, later = node_named(self.nodes - 1), node_named(self.nodes - 1, life=2)
            network.kill(former)
            network.add(later)

            for node, strategy in network.nodes.items():
                assert isinstance(strategy, Superseding)
                network.perform(node, strategy.supersede(former, later, network.now))

            for node, strategy in network.nodes.items():
                for name, view in strategy.views.items():
                    require(former not in view, f"seed {seed}: {node} still has {former} in its view {name!r}")
            network.deliver_all()  # what others had sent before they knew
            already = len(network.sent)
            network.join(later, node_named(0))
            self._settle(network, f"seed {seed}: after {former} was superseded by {later}")
            tried = [node for node, peer, _ in network.sent[already:] if peer == former]
            require(not tried, f"seed {seed}: {former} was tried again by {tried}")

    # Leaving.

    def test_a_node_that_leaves_has_no_neighbours_and_is_forgotten(self) -> None:
        for seed in self.seeds:
            network = self._overlay(seed)
            leaver = node_named(self.nodes - 1)

            network.leave(leaver)
            require(not network.nodes[leaver].neighbours, f"seed {seed}: {leaver} left and still has neighbours")
            self._wait_forgotten(network, leaver, f"seed {seed}: after {leaver} left")
            network.kill(leaver)
            self._settle(network, f"seed {seed}: after {leaver} left and ended", self.connects and self.heals)

    def test_a_node_that_left_may_join_again(self) -> None:
        if not self.rejoins:
            return
        for seed in self.seeds:
            network, rng = self._overlay(seed), Random(seed)
            for _ in range(3):
                node = rng.choice([node for node in network.nodes if node != node_named(0)])
                network.leave(node)
                for _ in range(rng.randrange(20)):
                    network.deliver_one()
                network.join(node, node_named(0))
            self._settle(network, f"seed {seed}: after nodes left and joined again", self.connects and self.heals)

    def test_a_node_that_is_evicted_has_no_neighbours_and_is_forgotten(self) -> None:
        if not isinstance(self.make(node_named(0), Random(0)), Evicting):
            return
        for seed in self.seeds:
            network = self._overlay(seed)
            by, evicted = node_named(0), node_named(self.nodes - 1)
            strategy = network.nodes[by]
            assert isinstance(strategy, Evicting)

            network.perform(by, strategy.evict(evicted, network.now))

            self._wait_forgotten(network, evicted, f"seed {seed}: after {by} evicted {evicted}")
            require(not network.nodes[evicted].neighbours, f"seed {seed}: {evicted} is out and has neighbours")
            require((evicted, Evicted(by)) in network.noticed, f"seed {seed}: {evicted} does not say that it is out")

    # Whatever may happen.

    def test_joins_whose_messages_arrive_in_any_order_make_one_overlay(self) -> None:
        for seed in self.seeds:
            network, rng = self._network(seed, reorders=True), Random(seed)
            for number in range(self.nodes):
                self._add(network, number, rng)
                for _ in range(rng.randrange(30)):
                    network.deliver_one()
                if rng.random() < 0.2:
                    network.fire_next_timer()
            self._settle(network, f"seed {seed}: after joins whose messages overtook each other")

    def test_after_any_story_both_ends_agree_about_every_link(self) -> None:
        for seed in self.seeds:
            network, rng, count = self._network(seed), Random(seed), 0
            for _ in range(rng.randrange(50, 250)):
                if rng.random() < 0.1 and len(network.nodes) < self.nodes:
                    self._add(network, count, rng)
                    count += 1
                else:
                    self._happen(network, rng)
            self._settle(network, f"seed {seed}: after a random story", connected=False)

    def _happen(self, network: StrategyNetwork, rng: Random) -> None:
        live = list(network.nodes)
        what = rng.choices(["deliver", "timer", "kill", "leave", "again", "tear"], [60, 25, 2, 1, 4, 3])[0]
        if what == "deliver":
            for _ in range(rng.randrange(1, 8)):
                network.deliver_one()
        elif what == "timer":
            network.fire_next_timer()
        elif len(live) > 1:
            one, other = rng.sample(live, 2)
            if what == "kill":
                network.kill(one)
            elif what == "leave":
                network.leave(one)
                network.kill(one)
            elif what == "again" and isinstance(other, NodeId) and self.is_contact(other):
                network.join(one, other)
            elif what == "tear":
                network.tear(one, other, told=(one, other)[: rng.randrange(1, 3)])

    # Messages.

    def test_foreign_messages_are_ignored(self) -> None:
        stranger = NodeId("stranger", 1)
        for seed in self.seeds:
            network = self._overlay(seed)
            node = node_named(1)
            before = list(network.nodes[node].neighbours)
            for foreign in ("hello", b"", None, 42, (), object(), Foreign(stranger)):
                for sender in (stranger, *before, node):
                    network.say(sender, node, foreign)
            after = list(network.nodes[node].neighbours)
            require(after == before, f"seed {seed}: foreign messages made {after} of the neighbours {before}")

    def test_messages_of_strangers_with_odd_contents_do_no_harm(self) -> None:
        for seed in self.seeds:
            network, rng = self._overlay(seed), Random(seed)
            samples = list({type(sent): sent for *_, sent in network.sent}.values())
            for number in range(200):
                stranger = NodeId(f"stranger{number % 3}", 1)
                node = node_named(rng.randrange(self.nodes))
                network.say(stranger, node, _distorted(rng.choice(samples), [stranger, node, node_named(0)], rng))

    def test_messages_are_the_same_after_their_way_as_bytes(self) -> None:
        for seed in self.seeds:
            network = self._network(seed, carry=through_bytes)
            self._tell_story(network, seed)
            self._settle(network, f"seed {seed}: over bytes", self.connects and self.heals)

    # Repeatability.

    def test_the_same_seed_gives_the_same_effects(self) -> None:
        for seed in self.seeds:
            first, again = [self._effects_of_a_story(seed, salt) for salt in (1, 2)]
            for number, (one, other) in enumerate(zip(first, again, strict=False)):
                require(
                    one == other,
                    f"seed {seed}: effect {number} was {one} the first time and {other} the second time. Does the "
                    "strategy draw from another random source, or go through a set in an order that reaches effects?",
                )
            require(len(first) == len(again), f"seed {seed}: {len(first)} effects the first time, then {len(again)}")

    def _effects_of_a_story(self, seed: int, salt: int) -> list[str]:
        network = self._network(seed)
        self._tell_story(network, seed, salted(salt))
        network.run(60.0)
        return [f"{node}: {effect}" for node, effect in network.effects]


def _is_registered(kind: object) -> bool:
    return isinstance(kind, type) and tag_of(object.__new__(kind)) is not None


def _distorted(sample: Any, peers: Sequence[NodeId], rng: Random) -> Any:
    """A message like `sample`, whose numbers and peers are others."""

    def other(value: Any) -> Any:
        if isinstance(value, bool):
            return rng.random() < 0.5
        if isinstance(value, int):
            return rng.choice([0, 1, -1, value, value + 1, 2**31, -(2**31), 2**53])
        if isinstance(value, float):
            return rng.choice([0.0, -1.0, value, 1e300, float("inf")])
        if isinstance(value, NodeId):
            return rng.choice([value, *peers])
        if isinstance(value, tuple):
            return tuple(map(other, value))
        return value

    return replace(sample, **{field.name: other(getattr(sample, field.name)) for field in fields(sample)})
