"""HyParView under schedules that hypothesis invents: whatever the order of events, the rules of its docstring hold.

X-BOT has to keep them, too, so everything here is done to both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.hyparview import HyParView, HyParViewOptions
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.protocols.membership.xbot import XBot, XBotOptions
from partisan_actors.testing.strategy_network import StrategyNetwork
from tests.seeds import quick_first

OPTIONS = HyParViewOptions(active_max=4, active_min=2, passive_max=6)
SETTLING_S = 40 * OPTIONS.shuffle_period_s  # room for every check of every link, and for most tries of `redial`

# What may happen, as data, so that a failing schedule shrinks. Numbers pick a live node, modulo how many there are.
NUMBER = st.integers(0, 63)
JOIN = st.tuples(st.just("join"), NUMBER, NUMBER)
DELIVER = st.tuples(st.just("deliver"), st.integers(1, 30), NUMBER)
TIMER = st.tuples(st.just("timer"), NUMBER, NUMBER)
KILL = st.tuples(st.just("kill"), NUMBER, NUMBER)
LEAVE = st.tuples(st.just("leave"), NUMBER, NUMBER)
TEAR = st.tuples(st.just("tear"), NUMBER, NUMBER)
Step = tuple[str, int, int]


class OnARing:
    """Nodes are numbers; a link costs the way between them around a ring of sixteen."""

    def __init__(self, me: Peer) -> None:
        self.me = me

    def cost(self, peer: Peer) -> float | None:
        assert isinstance(self.me, int) and isinstance(peer, int)
        apart = (self.me - peer) % 16
        return float(min(apart, 16 - apart))


def hyparview(me: Peer, options: HyParViewOptions, rng: Random) -> MembershipStrategy:
    return HyParView(me, options, rng)


def measuring_xbot(me: Peer, options: HyParViewOptions, rng: Random, oracle: OnARing | None = None) -> XBot:
    values = {name: getattr(options, name) for name in HyParViewOptions.__slots__}
    swapping = XBotOptions(**values, optimisation_period_s=6.0, gain_share=0.0, gain_min=0.0, oracle=oracle)
    return XBot(me, swapping, rng)


def xbot(me: Peer, options: HyParViewOptions, rng: Random) -> MembershipStrategy:
    return measuring_xbot(me, options, rng, OnARing(me))


Build = Callable[[Peer, HyParViewOptions, Random], MembershipStrategy]
BUILDS = [hyparview, xbot, pytest.param(measuring_xbot, marks=pytest.mark.slow)]
over_all = pytest.mark.parametrize("build", BUILDS)


class Overlay(StrategyNetwork):
    """Nodes, and the steps of a schedule done to them."""

    def __init__(self, build: Build, seed: int, *, options: HyParViewOptions = OPTIONS, reorders: bool = False) -> None:
        super().__init__(lambda me, rng: build(me, options, rng), seed, reorders=reorders)
        self.options = options
        self.founded = 0

    def step(self, what: str, one: int, other: int) -> None:
        live: list[Peer] = list(self.nodes)
        if what == "join":
            self.add(self.founded)
            self.founded += 1
            if live:
                self.join(self.founded - 1, live[one % len(live)])
        elif what == "deliver":
            for _ in range(one):
                self.deliver_one()
                self.check_views()
        elif what == "timer":
            self.fire_next_timer()
        elif not live:
            return
        elif what == "kill":
            self.kill(live[one % len(live)])
        elif what == "leave":
            node = live[one % len(live)]
            self.leave(node)
            assert self.nodes[node].views == {"active": [], "passive": []}
            if other % 2 and len(live) > 1:
                self.join(node, live[(one + 1) % len(live)])
        elif what == "tear":
            pair = live[one % len(live)], live[other % len(live)]
            if pair[0] != pair[1]:
                self.tear(*pair, told=pair[: one % 3], copies=1 + other % 2)
        self.check_views()

    def check_views(self) -> None:
        for node, strategy in self.nodes.items():
            active, passive = strategy.views["active"], strategy.views["passive"]
            assert node not in active and node not in passive
            assert not set(active) & set(passive)
            assert len(active) == len(set(active)) <= self.options.active_max
            assert len(passive) == len(set(passive)) <= self.options.passive_max

    def check_at_rest(self) -> None:
        assert self.asymmetric() == []
        for node, strategy in self.nodes.items():
            known = [peer for peer in strategy.views["passive"] if peer in self.nodes]
            assert strategy.neighbours or not known, f"{node} is alone but knows {known}"


common = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@over_all
@common
@given(steps=st.lists(st.one_of(JOIN, DELIVER, TIMER), max_size=40), seed=st.integers(0, 2**32), reorders=st.booleans())
def test_joins_in_any_interleaving_end_in_one_symmetric_overlay(
    build: Build, steps: list[Step], seed: int, reorders: bool
) -> None:
    overlay = Overlay(build, seed, reorders=reorders)

    for step in steps:
        overlay.step(*step)
    overlay.run(SETTLING_S)

    overlay.check_views()
    overlay.check_at_rest()
    assert overlay.components() == min(1, len(overlay.nodes))


@over_all
@common
@given(
    steps=st.lists(st.one_of(JOIN, JOIN, DELIVER, TIMER, KILL, LEAVE, TEAR), max_size=60),
    seed=st.integers(0, 2**32),
    reorders=st.booleans(),
)
def test_after_any_failures_links_are_held_by_both_ends(
    build: Build, steps: list[Step], seed: int, reorders: bool
) -> None:
    overlay = Overlay(build, seed, reorders=reorders)

    for step in steps:
        overlay.step(*step)
    overlay.run(SETTLING_S)

    overlay.check_views()
    overlay.check_at_rest()


@over_all
@common
@given(
    steps=st.lists(st.one_of(JOIN, JOIN, DELIVER, DELIVER, TIMER, KILL, LEAVE), min_size=10, max_size=60),
    seed=st.integers(0, 2**32),
)
def test_without_lost_messages_every_link_has_two_ends_as_soon_as_all_have_arrived(
    build: Build, steps: list[Step], seed: int
) -> None:
    overlay = Overlay(build, seed)

    for step in steps:
        overlay.step(*step)
    overlay.deliver_all()

    assert overlay.asymmetric() == []


@over_all
@pytest.mark.parametrize("seed", quick_first(15, range(60)))
def test_long_random_stories_of_small_views_and_short_timeouts(build: Build, seed: int) -> None:
    # Small views make requests cross, be refused and be evicted; short timeouts make their replies come too late.
    rng = Random(seed)
    options = HyParViewOptions(
        active_max=rng.choice([2, 3, 4, 5]),
        active_min=1,
        passive_max=rng.choice([2, 6]),
        promotion_backoff_s=0.5,
        neighbor_timeout_s=rng.choice([0.2, 5.0]),
        shuffle_period_s=rng.choice([1.0, 10.0]),
    )
    overlay = Overlay(build, seed, options=options)
    whats = ["join"] * 6 + ["deliver"] * 64 + ["timer"] * 23 + ["kill"] * 2 + ["leave"] + ["again"] * 4

    for _ in range(rng.randrange(50, 300)):
        what = rng.choice(whats)
        if what == "again" and len(overlay.nodes) > 1:
            overlay.join(*rng.sample(list(overlay.nodes), 2))
        elif what != "join" or len(overlay.nodes) < 12:
            overlay.step(what, rng.randrange(1, 4), rng.randrange(64))
    overlay.deliver_all()
    at_once = overlay.asymmetric()
    overlay.run(300.0)

    assert at_once == []
    overlay.check_at_rest()


@over_all
@pytest.mark.parametrize("seed", quick_first(3, range(10)))
def test_half_of_the_nodes_fail_together_and_the_rest_stay_one_overlay(build: Build, seed: int) -> None:
    overlay = Overlay(build, seed)
    for _ in range(60):
        overlay.step("join", 0, 0)
        overlay.run(1.0)
    overlay.run(3 * OPTIONS.shuffle_period_s)

    for node in Random(seed).sample(range(60), 30):
        overlay.kill(node)
    overlay.run(10 * OPTIONS.shuffle_period_s)

    overlay.check_at_rest()
    assert overlay.components() == 1


@over_all
@pytest.mark.parametrize("seed", quick_first(3, range(10)))
def test_when_the_one_contact_of_all_is_gone_the_others_stay_one_overlay(build: Build, seed: int) -> None:
    overlay = Overlay(build, seed)
    for node in range(30):
        overlay.add(node)
        if node:
            overlay.join(node, 0)
        overlay.run(0.1)

    overlay.kill(0)
    overlay.run(10 * OPTIONS.shuffle_period_s)

    overlay.check_at_rest()
    assert overlay.components() == 1


@over_all
@pytest.mark.parametrize("seed", quick_first(3, range(10)))
def test_nodes_that_know_nobody_but_a_contact_that_failed_find_it_when_it_is_back(build: Build, seed: int) -> None:
    overlay = Overlay(build, seed)
    for node in range(8):
        overlay.add(node)
    overlay.kill(0)
    for node in range(1, 8):
        overlay.join(node, 0)
    overlay.run(900.0)
    alone = overlay.components()

    overlay.add(0)
    overlay.run(SETTLING_S)

    assert alone == 7
    overlay.check_at_rest()
    assert overlay.components() == 1


@over_all
@pytest.mark.parametrize("seed", quick_first(3, range(10)))
def test_an_overlay_split_for_minutes_grows_together_again(build: Build, seed: int) -> None:
    overlay = Overlay(build, seed)
    for _ in range(24):
        overlay.step("join", 0, 0)
        overlay.run(1.0)
    overlay.run(3 * OPTIONS.shuffle_period_s)

    for left in range(12):
        for right in range(12, 24):
            overlay.block(left, right)
    overlay.run(180.0)
    split = overlay.components()
    overlay.heal()
    overlay.run(180.0)

    assert split >= 2
    overlay.check_at_rest()
    assert overlay.components() == 1


@pytest.mark.parametrize("seed", quick_first(8, range(20)))
def test_with_reserved_places_links_have_two_ends_and_the_tagged_keep_theirs(seed: int) -> None:
    def reserving(me: Peer, options: HyParViewOptions, rng: Random) -> MembershipStrategy:
        assert isinstance(me, int)
        return HyParView(me, replace(options, tag="" if me % 4 else "hub", reservations={"hub": 1}), rng)

    overlay = Overlay(reserving, seed)
    for number in range(24):
        overlay.step("join", number * 7, 0)
        overlay.step("deliver", 12, 0)
    overlay.deliver_all()  # whose only contact fails before it answers knows nobody
    for what in ("kill", "leave", "tear"):
        overlay.step(what, seed, 2 * seed + 1)
        overlay.step("deliver", 10, 0)
    overlay.run(SETTLING_S)

    overlay.check_at_rest()
    assert overlay.components() <= 2  # one more if the leaver has not come back
    for strategy in overlay.nodes.values():
        assert sum(peer % 4 != 0 for peer in strategy.neighbours if isinstance(peer, int)) < OPTIONS.active_max


@over_all
@pytest.mark.parametrize("seed", range(3))
def test_same_seed_gives_the_same_messages(build: Build, seed: int) -> None:
    def story() -> list[tuple[Peer, Peer, object]]:
        overlay = Overlay(build, seed)
        for number in range(20):
            overlay.step("join", number, 0)
            overlay.step("deliver", 10, 0)
        overlay.step("kill", 3, 0)
        overlay.run(50.0)
        return overlay.sent

    assert story() == story()
