"""The replicated map under any order, repetition and loss of messages."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.protocols.broadcast.exchange import Exchange, ExchangeOptions
from partisan_actors.protocols.broadcast.lww_map import LwwMap, Update
from partisan_actors.protocols.broadcast.seen import SeenIds
from partisan_actors.protocols.machine import Send

updates = st.builds(
    Update,
    key=st.sampled_from("abcdef"),
    stamp=st.tuples(st.integers(0, 3)),
    value=st.sampled_from([None, 1, "x", [1, 2]]),
    age_s=st.just(0.0),
)


@given(st.lists(updates, max_size=30), st.randoms(use_true_random=False))
def test_a_map_depends_on_the_set_of_writes_and_not_on_order_or_repetition(
    writes: list[Update], rng: random.Random
) -> None:
    one, two = LwwMap(100, 60.0), LwwMap(100, 60.0)
    again = writes + rng.sample(writes, len(writes) // 2)
    rng.shuffle(again)

    for write in writes:
        one.apply(write, 0.0)
    for write in again:
        two.apply(write, 0.0)

    assert one.digests("", None) == two.digests("", None)
    assert list(one.items("")) == list(two.items(""))
    assert one.xor == two.xor


@given(st.lists(updates, max_size=30), st.lists(updates, max_size=30), st.integers(1, 4), st.integers(0, 2**32))
def test_one_exchange_makes_two_maps_equal_whatever_their_pages(
    mine: list[Update], theirs: list[Update], page_max: int, seed: int
) -> None:
    options = ExchangeOptions(page_max=page_max, updates_max=2)
    machines = {name: Exchange(name, options, random.Random(seed)) for name in (0, 1)}
    machines[0].merge(mine, 0.0)
    machines[1].merge(theirs, 0.0)

    waiting = [(0, effect) for effect in machines[0].neighbour_up(1, 0.0)]
    while waiting:
        sender, effect = waiting.pop(0)
        if isinstance(effect, Send):
            waiting += [(1 - sender, answer) for answer in machines[1 - sender].receive(sender, effect.message, 0.0)]

    assert machines[0].summary == machines[1].summary
    assert list(machines[0].items()) == list(machines[1].items())


@settings(max_examples=50)
@given(st.lists(updates, max_size=20), st.integers(0, 2**32), st.floats(0.0, 0.5))
def test_nodes_that_keep_exchanging_over_a_lossy_network_agree(writes: list[Update], seed: int, loss: float) -> None:
    rng = random.Random(seed)
    names = range(4)
    machines = [Exchange(name, ExchangeOptions(page_max=2), random.Random(seed + name)) for name in names]
    for name in names:
        for peer in names:
            if peer != name:
                machines[name].neighbour_up(peer, 0.0)
    for write in writes:
        rng.choice(machines).write(write.key, write.stamp, write.value, 0.0)

    for tick in range(200):
        now = 6.0 + tick  # pulls of the tick before have timed out or ended; no tombstone has
        lossy = tick < 40
        waiting = [(name, effect) for name in names for effect in machines[name].timer_fired("period", now)]
        while waiting:
            sender, effect = waiting.pop(0)
            if isinstance(effect, Send) and isinstance(effect.peer, int) and not (lossy and rng.random() < loss):
                waiting += [
                    (effect.peer, answer) for answer in machines[effect.peer].receive(sender, effect.message, now)
                ]

    assert len({machine.summary for machine in machines}) == 1


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 60)), max_size=120))
def test_with_room_for_all_its_intervals_seen_ids_is_a_set(ids: list[tuple[str, int]]) -> None:
    seen = SeenIds(origins_max=2, intervals_max=60)
    model: set[tuple[str, int]] = set()

    for origin, counter in ids:
        assert seen.add(origin, counter) == ((origin, counter) not in model)
        model.add((origin, counter))

    assert all(((origin, counter) in seen) == ((origin, counter) in model) for origin in "ab" for counter in range(62))


@given(st.lists(st.integers(1, 200), max_size=120), st.integers(1, 5))
def test_a_bounded_seen_ids_never_takes_an_id_twice_and_never_grows_beyond_its_bound(
    counters: list[int], intervals_max: int
) -> None:
    seen = SeenIds(origins_max=1, intervals_max=intervals_max)

    taken = [counter for counter in counters if seen.add("a", counter)]

    assert len(taken) == len(set(taken))
    assert len(seen) <= intervals_max
