"""Where each strategy puts things, and what is said when nothing fits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from partisan_actors.errors import ConfigError, Unplaceable
from partisan_actors.ids import NodeId
from partisan_actors.scheduler.labels import Exists, In, NotIn
from partisan_actors.scheduler.policy import Candidate, Ranking, Request, Verdict, choose
from partisan_actors.scheduler.resources import Resources
from partisan_actors.scheduler.strategies import NodeAffinity, NodeLabels


def node(name: str) -> NodeId:
    return NodeId(name, 1)


def candidate(name: str, cpus: float = 4, free: float | None = None, **known: Any) -> Candidate:
    total = Resources.of(num_cpus=cpus)
    return Candidate(node(name), total, total if free is None else Resources.of(num_cpus=free), **known)


def names(nodes: tuple[NodeId, ...]) -> list[str]:
    return [each.name for each in nodes]


def ranked(request: Request, *candidates: Candidate, seed: int = 0) -> Ranking:
    answer = choose(request, candidates, Random(seed))
    assert isinstance(answer, Ranking)
    return answer


def refused(request: Request, *candidates: Candidate) -> Verdict:
    answer = choose(request, candidates, Random(0))
    assert isinstance(answer, Verdict)
    return answer


def test_default_stays_home_while_half_of_it_is_free() -> None:
    ranking = ranked(Request.parse(num_cpus=1), candidate("other"), candidate("home", free=3, local=True))

    assert names(ranking.nodes) == ["home", "other"]


def test_default_leaves_a_home_that_is_half_full_for_the_least_used() -> None:
    ranking = ranked(
        Request.parse(num_cpus=1),
        candidate("home", free=2, local=True),
        candidate("busier", free=1),
        candidate("idle", free=4),
    )

    assert names(ranking.nodes) == ["idle", "home", "busier"]


def test_default_judges_a_node_by_the_resource_that_is_asked_for() -> None:
    total = Resources.of(num_cpus=4, num_gpus=1)
    home = Candidate(node("home"), total, Resources.of(num_cpus=4), local=True)

    assert names(ranked(Request.parse(num_cpus=1), home, candidate("other")).nodes) == ["home", "other"]


def test_default_puts_what_holds_nothing_where_the_load_is_least() -> None:
    ranking = ranked(Request.parse(), candidate("home", load=900, local=True), candidate("other", load=3))

    assert names(ranking.nodes) == ["other", "home"]


def test_default_does_not_send_a_burst_to_the_one_node_that_looked_idle() -> None:
    nodes = {name: candidate(name, load=load) for name, load in (("idle", 0), ("a", 1), ("b", 1))}
    placed: Counter[str] = Counter()

    for _ in range(31):
        first = ranked(Request.parse(), *nodes.values()).nodes[0].name
        placed[first] += 1
        nodes[first] = replace(nodes[first], placements=placed[first])

    assert placed == {"idle": 11, "a": 10, "b": 10}


@pytest.mark.parametrize("seed", range(5))
def test_eight_spread_actors_on_four_nodes_go_two_to_each(seed: int) -> None:
    nodes = {name: candidate(name) for name in ("a", "b", "c", "d")}
    placed: Counter[str] = Counter()

    for _ in range(8):
        first = ranked(Request.parse(placement="spread"), *nodes.values(), seed=seed).nodes[0].name
        placed[first] += 1
        nodes[first] = replace(nodes[first], placements=placed[first])

    assert placed == {"a": 2, "b": 2, "c": 2, "d": 2}


def test_spread_breaks_ties_of_its_own_count_by_load() -> None:
    request = Request.parse(placement="spread")

    ranking = ranked(request, candidate("a", load=2), candidate("b", load=1), candidate("c", placements=1))

    assert names(ranking.nodes) == ["b", "a", "c"]


def test_nodes_that_are_equal_are_not_always_tried_in_the_same_order() -> None:
    nodes = [candidate(name) for name in "abcd"]

    firsts = {ranked(Request.parse(placement="spread"), *nodes, seed=seed).nodes[0].name for seed in range(50)}

    assert firsts == {"a", "b", "c", "d"}


def test_random_is_any_order() -> None:
    nodes = [candidate(name, load=load) for load, name in enumerate("abc")]

    orders = {ranked(Request.parse(placement="random"), *nodes, seed=seed).nodes for seed in range(60)}

    assert len(orders) == 6


def test_pack_fills_the_fullest_node_that_has_room_and_all_agree_which() -> None:
    nodes = [candidate("empty"), candidate("also-empty"), candidate("full", free=0), candidate("half", free=2)]

    for seed in range(10):
        ranking = ranked(Request.parse(num_cpus=1, placement="pack"), *nodes, seed=seed)
        assert names(ranking.nodes) == ["half", "also-empty", "empty"]
        assert names(ranking.busy) == ["full"]


def test_a_node_without_room_is_not_tried_but_named_as_busy() -> None:
    ranking = ranked(Request.parse(num_cpus=3), candidate("full", free=1), candidate("free"))

    assert names(ranking.nodes) == ["free"]
    assert names(ranking.busy) == ["full"]


def test_what_actors_hold_is_not_waited_for_as_what_tasks_hold_is() -> None:
    tasks = candidate("tasks", cpus=1, free=0)
    actors = candidate("actors", cpus=1, free=0, held=Resources.of(num_cpus=1))
    odd = candidate("odd", cpus=1, free=0, held=Resources.of(num_cpus=2))

    ranking = ranked(Request(Resources.of(num_cpus=1)), tasks, actors, odd)

    assert (names(ranking.nodes), names(ranking.busy), sorted(names(ranking.full))) == (
        [],
        ["tasks"],
        ["actors", "odd"],
    )


def test_a_node_too_small_even_when_empty_is_not_waited_for() -> None:
    ranking = ranked(Request.parse(num_cpus=3), candidate("full", free=0), candidate("small", cpus=2))

    assert ranking == Ranking((), (node("full"),))


def test_a_hard_affinity_tries_that_node_alone() -> None:
    request = Request.parse(num_cpus=1, placement=NodeAffinity("b"))

    assert names(ranked(request, candidate("a"), candidate("b"), candidate("c")).nodes) == ["b"]
    assert ranked(request, candidate("a"), candidate("b", free=0)) == Ranking((), (node("b"),))


def test_a_hard_affinity_to_a_node_that_is_gone_is_refused() -> None:
    verdict = refused(Request.parse(placement=NodeAffinity("gone")), candidate("a"))

    assert verdict.needed == "node gone"
    assert "not the node asked for" in verdict.best_node


def test_a_soft_affinity_goes_elsewhere_when_its_node_is_full_or_gone() -> None:
    request = Request.parse(num_cpus=1, placement=NodeAffinity("b", soft=True))

    assert names(ranked(request, candidate("a"), candidate("b", free=1)).nodes) == ["b", "a"]
    assert names(ranked(request, candidate("a"), candidate("b", free=0)).nodes) == ["a"]
    assert names(ranked(request, candidate("a")).nodes) == ["a"]


def test_labels_bind_every_strategy() -> None:
    nodes = [candidate("a", labels={"zone": "a"}), candidate("b", labels={"zone": "b"}), candidate("none")]

    for placement in ("default", "spread", "pack", "random", NodeAffinity("a", soft=True)):
        ranking = ranked(Request.parse(placement=placement, labels={"zone": "b"}), *nodes)
        assert names(ranking.nodes) == ["b"]


def test_a_request_that_fits_nowhere_names_what_it_needs_and_who_comes_closest() -> None:
    verdict = refused(
        Request.parse(num_cpus=8, labels={"zone": "a"}),
        candidate("small", cpus=2, labels={"zone": "a"}),
        candidate("closest", cpus=6, labels={"zone": "a"}),
        candidate("elsewhere", cpus=7),
    )

    assert verdict.closest == node("closest")
    assert verdict.needed == "8 CPU, label zone in (a)"
    assert verdict.best_node == "closest~1, which has 6 CPU (short of 2 CPU)"


def test_a_label_that_no_node_has_is_said_in_so_many_words() -> None:
    request = Request.parse(labels={"zone": "a"})

    assert "zone is 'b'" in refused(request, candidate("b", labels={"zone": "b"})).best_node
    assert "no label zone" in refused(request, candidate("none")).best_node


def test_an_empty_cluster_is_a_verdict_too() -> None:
    assert refused(Request.parse()) == Verdict("nothing in particular", "none: no node of the cluster takes work", None)


def test_a_verdict_makes_the_error_that_users_see() -> None:
    verdict = refused(Request.parse(num_gpus=1), candidate("w1"))

    error = Unplaceable("actor Counter", verdict.needed, verdict.best_node)

    assert str(error) == (
        "actor Counter fits no node: it needs 1 GPU; the closest is w1~1, which has 4 CPU (short of 1 GPU)"
    )


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"num_cpus": -1}, "num_cpus"),
        ({"num_gpus": "1"}, "num_gpus"),
        ({"memory": True}, "memory"),
        ({"placement": "nearby"}, "placement"),
        ({"labels": {"zone": ""}}, "labels['zone']"),
    ],
)
def test_an_option_that_is_not_valid_is_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Request.parse(**options)

    assert caught.value.field == field


@pytest.mark.parametrize("placement", ["default", "spread", "pack", "random", NodeAffinity("best", soft=True)])
def test_a_suspect_is_tried_last_whatever_else_speaks_for_it(placement: Any) -> None:
    best = candidate("best", local=True, suspected=True)
    others = [candidate(name, free=2, load=3.0, placements=2) for name in ("a", "b")]
    request = Request.parse(num_cpus=1, placement=placement)

    for seed in range(10):
        assert names(ranked(request, best, *others, seed=seed).nodes)[-1] == "best"
    assert names(ranked(request, best).nodes) == ["best"], "it is better than none"


def test_a_suspect_that_has_room_comes_before_others_that_have_none() -> None:
    ranking = ranked(Request.parse(num_cpus=1), candidate("suspect", suspected=True), candidate("busy", free=0))

    assert (names(ranking.nodes), names(ranking.busy)) == (["suspect"], ["busy"])


def test_who_must_have_a_node_gets_it_though_it_is_suspected() -> None:
    request = Request.parse(num_cpus=1, placement=NodeAffinity("only"))

    assert names(ranked(request, candidate("only", suspected=True), candidate("other")).nodes) == ["only"]


def test_default_fills_nodes_below_the_share_one_after_the_other() -> None:
    known = [candidate(f"w{number}", free=free) for number, free in enumerate([4, 3, 1, 2])]

    ranking = ranked(Request.parse(num_cpus=1), *known)

    assert names(ranking.nodes) == ["w0", "w1", "w3", "w2"]


def test_default_tries_the_first_of_many_in_any_order() -> None:
    known = [candidate(f"w{number:02}") for number in range(10)]

    firsts = {names(ranked(Request.parse(num_cpus=1), *known, seed=seed).nodes)[0] for seed in range(40)}

    assert firsts == {"w00", "w01"}


def test_what_holds_the_arguments_comes_first_but_not_for_spread() -> None:
    known = [candidate("home", local=True), candidate("holder", argument_bytes=10**8, placements=1)]

    assert names(ranked(Request.parse(num_cpus=1), *known).nodes) == ["holder", "home"]
    assert names(ranked(Request.parse(num_cpus=1, placement="spread"), *known).nodes) == ["home", "holder"]


def test_node_labels_have_to_match_if_hard_and_come_first_if_soft() -> None:
    known = [
        candidate("old", labels={"zone": "a", "disk": "hdd"}),
        candidate("new", labels={"zone": "a", "disk": "ssd"}),
        candidate("elsewhere", labels={"disk": "ssd"}),
    ]
    strategy = NodeLabels(hard={"zone": Exists()}, soft={"disk": In("ssd")})

    assert names(ranked(Request.parse(placement=strategy), *known).nodes) == ["new", "old"]
    hard = Request.parse(placement=NodeLabels(hard={"zone": NotIn("a")}), num_cpus=8)
    assert refused(hard, *known).needed == "8 CPU, label zone not in (a)"


def test_fallbacks_count_in_order_where_the_labels_before_have_no_room() -> None:
    cheap, dear = candidate("cheap", free=0, labels={"kind": "cheap"}), candidate("dear", labels={"kind": "dear"})
    fallbacks = [{"label_selector": {"kind": "none"}}, {"label_selector": {"kind": "dear"}}]
    request = Request.parse(num_cpus=1, labels={"kind": "cheap"}, fallbacks=fallbacks)

    assert names(ranked(request, cheap, dear).nodes) == ["dear"]
    assert names(ranked(request, cheap).busy) == ["cheap"]
    gone = Request.parse(labels={"kind": "gone"}, fallbacks=fallbacks)
    assert names(ranked(gone, dear).nodes) == ["dear"]
    assert refused(gone, cheap).needed == "label kind in (gone)"


@pytest.mark.parametrize(
    "fallbacks", ["a", {"label_selector": {}}, [{"num_cpus": 1}], [3], [{"label_selector": {"k": ""}}]]
)
def test_fallbacks_are_lists_of_labels(fallbacks: Any) -> None:
    with pytest.raises(ConfigError):
        Request.parse(fallbacks=fallbacks)


def test_a_gpu_and_a_half_cannot_be_asked_for() -> None:
    with pytest.raises(ConfigError, match="a fraction of one GPU, or a whole number"):
        Request.parse(num_gpus=1.5)
