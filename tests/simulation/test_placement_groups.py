"""Placement groups under crashes, partitions and lost messages: nothing is reserved twice, and nothing for ever."""

from __future__ import annotations

import random

import pytest

from partisan_actors.ids import GroupId, NodeId
from partisan_actors.scheduler.bundle_plan import plan_bundles
from partisan_actors.scheduler.groups_protocol import Cancel
from partisan_actors.scheduler.groups_record import CREATED, INFEASIBLE, PENDING, GroupRecord, GroupStrategy
from partisan_actors.scheduler.policy import Candidate, Request
from partisan_actors.scheduler.resources import NOTHING, Resources
from tests.simulation.group_cluster import GroupCluster

STRATEGIES: tuple[GroupStrategy, ...] = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")


def wanted(cluster: GroupCluster, number: int, rng: random.Random, *, is_owned: bool = True) -> GroupRecord:
    maker = rng.choice(cluster.live()).id
    bundles = tuple(Resources.of(num_cpus=rng.choice([0.5, 1, 2])) for _ in range(rng.randint(1, 4)))
    nowhere = (None,) * len(bundles)
    owner = maker if is_owned else None
    return GroupRecord(GroupId(maker, number), rng.choice(STRATEGIES), bundles, (), nowhere, owner)


def check_accounts(cluster: GroupCluster) -> None:
    for node in cluster.live():
        pool, held = node.room.pool, NOTHING
        for _, amounts in node.room.holders():
            held += amounts
        assert held + pool.available == pool.total
        assert {token for token in pool if isinstance(token, tuple)} == set(node.room.bundles())


def check_settled(cluster: GroupCluster, group: GroupId) -> None:
    """All know the same of the group, and its bundles are where the record says, and nowhere else."""
    records = {node.machine.records.get(group) for node in cluster.live()}
    assert len({None if known is None else known[0] for known in records}) == 1, f"{group} is not known alike"
    known = next(iter(records))
    hosts = {} if known is None else dict(enumerate(known[1].hosts))
    for node in cluster.live():
        here = {key[1]: is_kept for key, is_kept in node.room.bundles().items() if key[0] == group}
        if known is not None and known[1].state == PENDING:
            assert not any(here.values())  # it may be about to try again
            continue
        there = {index: True for index, host in hosts.items() if host == node.id}
        if here != there:
            assert here.items() <= there.items(), f"{group} on {node.id} where it should not be"
            assert known is not None and not has_room(cluster, known[1]), f"{group} is not on {node.id}"
    if known is not None and known[1].state == CREATED:
        places = [host for host in known[1].hosts if host is not None]
        assert len(places) == len(known[1].bundles)
        if known[1].strategy == "STRICT_PACK":
            assert len(set(places)) == 1
        if known[1].strategy == "STRICT_SPREAD":
            assert len(set(places)) == len(places)


def has_room(cluster: GroupCluster, record: GroupRecord) -> bool:
    """Whether the bundles that are nowhere would fit somewhere."""
    kept: list[NodeId | None] = [None] * len(record.bundles)
    candidates = []
    for node in cluster.live():
        candidates.append(Candidate(node.id, cluster.total, node.room.pool.available))
        for group, index in node.room.bundles():
            if group == record.group:
                kept[index] = node.id
    plan = plan_bundles(record.parts(), record.strategy, candidates, random.Random(0), kept=kept)
    return plan is not None


def make_trouble(cluster: GroupCluster, rng: random.Random) -> None:
    match rng.randrange(5):
        case 0 if len(cluster.nodes) > 2:
            cluster.crash(rng.choice(sorted(cluster.nodes)))
        case 1:
            gone = [name for name in sorted(cluster.side) if name not in cluster.nodes]
            if gone:
                cluster.start(rng.choice(gone))
        case 2:
            for name in sorted(cluster.side):
                cluster.side[name] = rng.randrange(2)
        case 3:
            for name in cluster.side:
                cluster.side[name] = 0
        case 4:
            cluster.loss = rng.choice([0.0, 0.1, 0.4])


def tell_a_story(seed: int) -> None:
    rng = random.Random(f"story {seed}")
    cluster = GroupCluster(seed, 5, Resources.of(num_cpus=4))
    groups = []
    for number in range(30):
        action = rng.random()
        if action < 0.3 and len(groups) < 8:
            record = wanted(cluster, number, rng, is_owned=rng.random() < 0.7)
            node = cluster.nodes[record.group.node.name]
            node.carry_out(node.machine.create(record))
            groups.append(record.group)
        elif action < 0.4 and groups:
            node = rng.choice(cluster.live())
            node.carry_out(node.machine.remove(rng.choice(groups), "it was removed"))
        elif action < 0.6:
            make_trouble(cluster, rng)
        for _ in range(6):
            cluster.work()
        cluster.run(rng.uniform(0.01, 3.0))
        check_accounts(cluster)
    cluster.loss = 0.0
    for name in cluster.side:
        cluster.side[name] = 0
    cluster.run(120.0)
    check_accounts(cluster)
    for group in groups:
        check_settled(cluster, group)

    for group in groups:
        node = cluster.live()[0]
        node.carry_out(node.machine.remove(group, "the end"))
    cluster.run(60.0)
    for node in cluster.live():
        for token in [token for token, _ in node.room.holders() if not isinstance(token, tuple)]:
            node.room.release(token)
        assert node.room.pool.available == cluster.total, f"{node.id} still holds {list(node.room.holders())}"


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_bundles_end_up_where_the_record_says_and_nowhere_else(seed: int) -> None:
    print(f"seed {seed}")
    tell_a_story(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_so_they_do_for_many_more_stories(block: int) -> None:
    for seed in range(1000 + 60 * block, 1060 + 60 * block):
        print(f"seed {seed}")
        tell_a_story(seed)


def created(cluster: GroupCluster, strategy: GroupStrategy, *bundles: float, owned_by: str | None = None) -> GroupId:
    maker = cluster.nodes["n0"]
    amounts = tuple(Resources.of(num_cpus=each) for each in bundles)
    owner = None if owned_by is None else cluster.nodes[owned_by].id
    number = len(maker.map) + 1
    record = GroupRecord(GroupId(maker.id, number), strategy, amounts, (), (None,) * len(bundles), owner)
    maker.carry_out(maker.machine.create(record))
    return record.group


def state_of(cluster: GroupCluster, group: GroupId) -> str:
    return cluster.live()[-1].machine.records[group][1].state


def test_a_group_is_created_on_the_nodes_that_its_strategy_asks_for() -> None:
    cluster = GroupCluster(1, 4, Resources.of(num_cpus=4))

    groups = [created(cluster, strategy, 1, 1) for strategy in STRATEGIES]
    cluster.run(10.0)

    for group, count in zip(groups, (1, 2, 1, 2), strict=True):
        record = cluster.nodes["n3"].machine.records[group][1]
        assert record.state == CREATED
        assert len(set(record.hosts)) == count
        check_settled(cluster, group)


def test_what_a_node_prepared_is_free_again_when_the_one_that_acted_is_gone() -> None:
    cluster = GroupCluster(2, 3, Resources.of(num_cpus=4))
    group = created(cluster, "STRICT_SPREAD", 4, 4, 4, owned_by="n0")
    while not any(node.room.bundles() for node in cluster.live() if node.id.name != "n0"):
        cluster.run(0.001)
    assert cluster.nodes["n0"].machine.records[group][1].state == PENDING

    cluster.crash("n0")
    cluster.run(60.0)

    assert all(node.room.pool.available == cluster.total for node in cluster.live())


def test_the_bundles_of_a_node_that_went_down_get_another_and_the_others_stay() -> None:
    cluster = GroupCluster(3, 4, Resources.of(num_cpus=2))
    group = created(cluster, "STRICT_SPREAD", 2, 2)
    cluster.run(5.0)
    before = cluster.nodes["n0"].machine.records[group][1].hosts
    lost = next(host for host in before if host is not None and host.name != "n0")

    cluster.crash(lost.name)
    cluster.run(30.0)

    after = cluster.nodes["n0"].machine.records[group][1].hosts
    assert lost not in after
    assert [here for here, there in zip(before, after, strict=True) if here == there] == [
        host for host in before if host != lost
    ]
    check_settled(cluster, group)


def test_a_detached_group_is_looked_after_when_the_node_it_was_made_on_is_gone() -> None:
    cluster = GroupCluster(4, 4, Resources.of(num_cpus=2))
    group = created(cluster, "SPREAD", 2, 2, 2)
    cluster.run(5.0)

    cluster.crash("n0")
    cluster.run(30.0)

    assert state_of(cluster, group) == CREATED
    check_settled(cluster, group)
    assert all(host is not None and host.name != "n0" for host in cluster.live()[0].machine.records[group][1].hosts)


def test_a_group_whose_owner_was_only_cut_off_comes_back() -> None:
    cluster = GroupCluster(5, 4, Resources.of(num_cpus=2))
    group = created(cluster, "SPREAD", 2, 2, 2, owned_by="n0")
    cluster.run(5.0)
    cluster.side["n0"] = 1
    cluster.run(20.0)
    assert all(not node.room.bundles() for node in cluster.live() if node.id.name != "n0")

    cluster.side["n0"] = 0
    cluster.run(60.0)

    assert state_of(cluster, group) == CREATED
    check_settled(cluster, group)


def test_what_could_never_fit_is_removed_at_once_and_says_why() -> None:
    cluster = GroupCluster(6, 3, Resources.of(num_cpus=2))

    too_many = created(cluster, "STRICT_SPREAD", 1, 1, 1, 1)
    too_big = created(cluster, "STRICT_PACK", 2, 1)
    cluster.run(5.0)

    records = cluster.nodes["n2"].machine.records
    assert [records[group][1].state for group in (too_many, too_big)] == [INFEASIBLE, INFEASIBLE]
    assert "4 bundles each want a node of their own, and there are 3 nodes" in records[too_many][1].why
    assert "no node has 3 CPU for all bundles together" in records[too_big][1].why


def test_an_end_that_everybody_knows_is_forgotten() -> None:
    cluster = GroupCluster(7, 3, Resources.of(num_cpus=2))
    group = created(cluster, "PACK", 1)
    cluster.run(5.0)
    cluster.nodes["n1"].carry_out(cluster.nodes["n1"].machine.remove(group, "done with it"))

    cluster.run(120.0)

    assert all(group not in node.machine.records for node in cluster.live())


def test_a_node_that_has_no_room_for_what_it_is_to_keep_says_so_and_another_takes_it() -> None:
    cluster = GroupCluster(8, 3, Resources.of(num_cpus=2))
    group = created(cluster, "PACK", 2)
    cluster.run(5.0)
    (host,) = cluster.nodes["n0"].machine.records[group][1].hosts
    assert host is not None
    there = cluster.nodes[host.name].room
    there.forget(group)
    assert there.acquire("somebody else", Request.parse(num_cpus=1), for_life=True)

    cluster.run(20.0)

    assert cluster.nodes["n0"].machine.records[group][1].hosts != (host,)
    check_settled(cluster, group)


def test_an_answer_that_comes_too_late_frees_what_was_prepared() -> None:
    node = GroupCluster(9, 2, Resources.of(num_cpus=2)).nodes["n0"]
    group = GroupId(node.id, 1)

    assert node.machine.answered(node.id, group, (3, 0), True, 0.0) == [Cancel(node.id, group, (3, 0))]
    assert node.machine.answered(node.id, group, (3, 0), False, 0.0) == []


def test_nothing_is_prepared_for_a_decision_that_is_older_than_what_is_known() -> None:
    cluster = GroupCluster(10, 2, Resources.of(num_cpus=2))
    group = created(cluster, "PACK", 1)
    cluster.run(5.0)
    node = cluster.nodes["n1"]
    stamp, _ = node.machine.records[group]

    assert not node.machine.asked_to_prepare(group, stamp, {0: Resources.of(num_cpus=1)}, cluster.now)
    assert node.machine.asked_to_prepare(group, (stamp[0] + 1, 0), {0: Resources.of(num_cpus=1)}, cluster.now)
