"""What placement and resource pools promise, for any requests in any order."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from partisan_actors.ids import NodeId
from partisan_actors.scheduler.labels import parse_selectors
from partisan_actors.scheduler.policy import Candidate, Ranking, Request, Verdict, choose
from partisan_actors.scheduler.pool import Pool
from partisan_actors.scheduler.resources import NOTHING, UNIT, Resources
from partisan_actors.scheduler.strategies import NodeAffinity

NAMES = ("num_cpus", "num_gpus", "scanner")
ZONES = ("a", "b")

units = st.integers(min_value=0, max_value=4 * UNIT)


@st.composite
def some_resources(draw: st.DrawFn) -> Resources:
    amounts = {name: draw(units) / UNIT for name in draw(st.sets(st.sampled_from(NAMES)))}
    return Resources.parse(amounts)


@st.composite
def some_candidates(draw: st.DrawFn) -> list[Candidate]:
    candidates = []
    for number in range(draw(st.integers(0, 6))):
        free, used = draw(some_resources()), draw(some_resources())
        zone = draw(st.sampled_from([None, *ZONES]))
        candidates.append(
            Candidate(
                NodeId(f"w{number}", 1),
                total=free + used,
                available=free,
                labels={} if zone is None else {"zone": zone},
                load=draw(st.floats(0, 100)),
                local=number == 0,
                placements=draw(st.integers(0, 3)),
            )
        )
    return candidates


@st.composite
def some_request(draw: st.DrawFn) -> Request:
    affinity = st.builds(NodeAffinity, st.sampled_from(["w0", "w1", "gone"]), st.booleans())
    strategy: Any = draw(st.sampled_from(["default", "spread", "pack", "random"]) | affinity)
    selector = draw(st.sampled_from([None, "a", "!a", "in(a, b)", "!in(a, b)"]))
    labels = parse_selectors(None if selector is None else {"zone": selector})
    return Request(draw(some_resources()), strategy, labels)


@given(some_resources(), some_resources())
def test_what_is_added_can_be_taken_away_again(one: Resources, other: Resources) -> None:
    assert one + other - other == one
    assert one.fits(one + other)


@given(some_resources(), some_resources())
def test_a_shortfall_is_the_least_that_has_to_be_added(request: Resources, room: Resources) -> None:
    short = request.shortfall(room)

    assert request.fits(room + short)
    assert (short == NOTHING) == request.fits(room)


@given(some_resources())
def test_any_amounts_come_back_exactly_from_what_is_told(resources: Resources) -> None:
    assert Resources.parse(resources.plain()) == resources


steps = st.lists(
    st.tuples(st.sampled_from(["acquire", "release", "replace"]), st.integers(0, 5), some_resources()), max_size=60
)


@given(some_resources(), steps)
def test_a_pool_accounts_for_everything_at_every_step_and_is_whole_at_the_end(
    total: Resources, story: list[tuple[str, int, Resources]]
) -> None:
    pool = Pool(total)

    for step, token, request in story:
        before, room = pool.held(token), request.fits(pool.available + pool.held(token))
        if step == "release":
            assert pool.release(token) == before
        elif step == "replace":
            assert pool.replace(token, request) == room
        elif token not in pool:
            assert pool.acquire(token, request) == room
        held = NOTHING
        for holder in pool:
            held += pool.held(holder)
        assert held + pool.available == total

    for token in range(6):
        pool.release(token)
    assert pool.available == total
    assert len(pool) == 0


@given(some_request(), some_candidates(), st.integers(0, 2**32))
def test_a_ranking_names_exactly_the_nodes_that_can_hold_the_request(
    request: Request, candidates: list[Candidate], seed: int
) -> None:
    answer = choose(request, candidates, Random(seed))

    hard = isinstance(request.strategy, NodeAffinity) and not request.strategy.soft
    able = {
        each.node: each
        for each in candidates
        if request.resources.fits(each.total)
        and all(selector.matches(each.labels) for selector in request.labels)
        and (not hard or each.node.name == str(request.strategy))
    }
    if isinstance(answer, Verdict):
        assert not able
        assert (answer.closest is None) == (not candidates)
    else:
        assert sorted(answer.nodes + answer.busy) == sorted(able)
        assert all(request.resources.fits(able[node].available) for node in answer.nodes)
        assert not any(request.resources.fits(able[node].available) for node in answer.busy)


@given(some_request(), some_candidates(), st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_a_choice_can_be_repeated_from_its_seed_whatever_order_the_nodes_come_in(
    request: Request, candidates: list[Candidate], seed: int, shuffle: Random
) -> None:
    again = list(candidates)
    shuffle.shuffle(again)

    assert choose(request, candidates, Random(seed)) == choose(request, again, Random(seed))


@given(some_candidates().filter(bool), st.lists(some_resources(), max_size=40), st.integers(0, 2**32))
def test_placing_where_the_ranking_says_never_oversubscribes_a_node(
    candidates: list[Candidate], requests: list[Resources], seed: int
) -> None:
    rng = Random(seed)
    nodes = {each.node: replace(each, available=each.total) for each in candidates}
    pools = {each.node: Pool(each.total) for each in candidates}

    for token, resources in enumerate(requests):
        answer = choose(Request(resources), list(nodes.values()), rng)
        if isinstance(answer, Ranking) and answer.nodes:
            chosen = answer.nodes[0]
            # A part of a GPU comes from one GPU, and whole ones are taken whole: that a ranking does not look at.
            assert pools[chosen].acquire(token, resources) or dict(resources.amounts).get("num_gpus")
            nodes[chosen] = replace(nodes[chosen], available=pools[chosen].available)
