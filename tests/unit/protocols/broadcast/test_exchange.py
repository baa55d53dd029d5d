"""Exchange: what is published, what is compared, what is fetched, and what happens at the bounds."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.protocols.broadcast.exchange import (
    Entries,
    Exchange,
    ExchangeEffect,
    ExchangeOptions,
    Gather,
    Offer,
    Page,
    Publish,
    Refused,
    Sketch,
    Summary,
    Want,
)
from partisan_actors.protocols.broadcast.lww_map import Changed, Entry, Update
from partisan_actors.protocols.machine import Send, SetTimer
from partisan_actors.simulation.checkers import check_converged, eventually
from partisan_actors.wire.codec import decode_message, encode_message
from tests.static_overlay import line, random_graph, running, with_exchange


def exchange(name: str = "me", **options: object) -> Exchange:
    return Exchange(name, ExchangeOptions(**options), random.Random(1))  # type: ignore[arg-type]  # options vary


def holding(name: str, keys: Sequence[str], stamp: int = 1, **options: object) -> Exchange:
    machine = exchange(name, **options)
    machine.merge([Update(key, (stamp,), f"{key}{stamp}", 0.0) for key in keys], 0.0)
    return machine


def talk(one: Exchange, two: Exchange, effects: list[ExchangeEffect], now: float = 0.0) -> list[object]:
    """Carry messages between the two until they fall silent, beginning with `effects` of `one`; all that were sent."""
    machines = {"one": one, "two": two}
    sent: list[object] = []
    waiting = [("one", effect) for effect in effects if isinstance(effect, Send)]
    while waiting:
        sender, effect = waiting.pop(0)
        receiver = "two" if sender == "one" else "one"
        sent.append(effect.message)
        answers = machines[receiver].receive(sender, effect.message, now)
        waiting += [(receiver, answer) for answer in answers if isinstance(answer, Send)]
        assert len(sent) < 1000
    return sent


def contents(machine: Exchange) -> dict[str, object]:
    return {key: entry.value for key, entry in machine.items()}


def test_a_write_that_wins_is_published_and_reported() -> None:
    machine = exchange()

    effects = machine.write("k", (1,), "v", 0.0)

    assert effects == [Publish((Update("k", (1,), "v", 0.0),)), Changed("k", None, Entry((1,), "v"))]
    assert machine.get("k") == Entry((1,), "v")


def test_a_write_that_loses_is_neither() -> None:
    machine = exchange()
    machine.write("k", (2,), "v", 0.0)

    assert machine.write("k", (1,), "older", 0.0) == []
    assert machine.write("k", (2,), "v", 0.0) == []


def test_what_a_broadcast_brought_is_reported_and_not_published_again() -> None:
    machine = exchange()

    effects = machine.merge([Update("k", (1,), "v", 0.0)], 0.0)

    assert effects == [Changed("k", None, Entry((1,), "v"))]


def test_what_is_not_an_update_is_dropped_and_counted() -> None:
    machine = exchange()

    assert machine.merge(["rubbish", Update("", (1,), "v", 0.0)], 0.0) == []
    assert machine.dropped == 2


def test_equal_maps_cost_one_message() -> None:
    one, two = holding("one", "abc"), holding("two", "cba")

    sent = talk(one, two, one.neighbour_up("two", 0.0))

    assert sent == [one.summary]


def test_two_maps_become_their_union_whoever_begins() -> None:
    one, two = holding("one", "ab"), holding("two", "bc")
    one.merge([Update("b", (2,), "newer", 0.0)], 0.0)

    talk(one, two, one.neighbour_up("two", 0.0))

    assert contents(one) == contents(two) == {"a": "a1", "b": "newer", "c": "c1"}
    assert one.summary == two.summary


@pytest.mark.parametrize(("mine", "theirs"), [(0, 20), (20, 0), (20, 20)])
def test_maps_larger_than_a_page_are_compared_page_by_page(mine: int, theirs: int) -> None:
    one = holding("one", [f"mine{n:02}" for n in range(mine)], page_max=4, updates_max=3)
    two = holding("two", [f"theirs{n:02}" for n in range(theirs)], page_max=4, updates_max=3)

    sent = talk(one, two, one.neighbour_up("two", 0.0))

    assert len(contents(one)) == mine + theirs
    assert one.summary == two.summary
    assert all(len(page.digests) <= 4 for page in sent if isinstance(page, Page | Offer))
    assert all(len(want.keys) <= 4 for want in sent if isinstance(want, Want))
    assert all(len(entries.updates) <= 3 for entries in sent if isinstance(entries, Entries))


def test_only_what_differs_is_sent() -> None:
    keys = [f"k{n:03}" for n in range(100)]
    one, two = holding("one", keys), holding("two", keys)
    one.merge([Update("extra", (1,), "v", 0.0)], 0.0)

    sent = talk(one, two, one.neighbour_up("two", 0.0))

    updates = [update.key for entries in sent if isinstance(entries, Entries) for update in entries.updates]
    assert updates == ["extra"]


def offered_by(old: Exchange, newcomer: Exchange) -> Offer:
    """What a node offers a newcomer that has shown it an empty page."""
    (sketch,) = old.receive("new", newcomer.summary, 0.0)
    assert isinstance(sketch, Send)
    (page,) = newcomer.receive("old", sketch.message, 0.0)
    assert isinstance(page, Send)
    (offer,) = old.receive("new", page.message, 0.0)
    assert isinstance(offer, Send)
    assert isinstance(offer.message, Offer)
    return offer.message


def test_a_newcomer_fetches_from_one_peer_at_a_time() -> None:
    newcomer, old = exchange("new"), holding("old", "ab")
    offer = offered_by(old, newcomer)

    first = newcomer.receive("old", offer, 0.0)
    second = newcomer.receive("older", offer, 0.0)
    not_compared = newcomer.receive("older", Sketch(tuple(range(1, 65))), 0.0)
    after_silence = newcomer.receive("older", offer, 5.0)

    assert first == [Send("old", Want(("a", "b"), 0, None))]
    assert second == not_compared == []
    assert after_silence == [Send("older", Want(("a", "b"), 0, None))]


def test_a_peer_that_goes_down_frees_the_node_to_fetch_from_another() -> None:
    newcomer, old = exchange("new"), holding("old", "ab")
    offer = offered_by(old, newcomer)
    newcomer.receive("old", offer, 0.0)

    newcomer.neighbour_down("old", 0.1)

    assert newcomer.receive("older", offer, 0.2) == [Send("older", Want(("a", "b"), 0, None))]


def test_a_node_that_fetches_from_one_peer_still_offers_to_another() -> None:
    busy, newcomer = holding("busy", "ab"), exchange("new")
    busy.receive("other", Offer((("c", (1,), 7),)), 0.0)

    talk(newcomer, busy, [Send("busy", newcomer.summary)])

    assert contents(newcomer) == contents(busy) == {"a": "a1", "b": "b1"}


def test_a_node_that_many_ask_offers_to_one_after_the_other_and_they_ask_again() -> None:
    old = holding("old", [f"k{n}" for n in range(100)], offer_s_per_entry=0.01)
    first, second = exchange("first"), exchange("second")
    first.neighbour_up("old", 0.0)
    second.neighbour_up("old", 0.0)
    empty_page = Page(2**64 - 1, "", None, ())

    (offer,) = old.receive("first", empty_page, 0.0)
    (refusal,) = old.receive("second", empty_page, 0.9)
    (again,) = second.receive("old", Offer(()), 0.9)
    (asked,) = second.timer_fired("compare", 1.2)
    (late,) = old.receive("second", empty_page, 1.2)

    assert isinstance(offer, Send) and isinstance(late, Send)
    assert offer.message == late.message
    assert refusal == Send("second", Offer(()))
    assert isinstance(again, SetTimer) and again.name == "compare"
    assert asked == Send("old", second.summary)
    assert second.receive("no neighbour", Offer(()), 0.9) == []


def test_of_two_large_maps_only_the_buckets_that_differ_are_compared() -> None:
    keys = [f"k{n:04}" for n in range(1000)]
    one, two = holding("one", keys), holding("two", keys)
    two.merge([Update("extra", (1,), "v", 0.0)], 0.0)

    sent = talk(one, two, one.neighbour_up("two", 0.0))

    assert one.summary == two.summary
    digests = [digest for message in sent if isinstance(message, Page | Offer) for digest in message.digests]
    assert len(digests) < 50, "a bucket of 64 holds about 16 of 1000 keys"


def test_new_neighbours_are_compared_with_one_after_the_other_the_larger_the_map_the_more_slowly() -> None:
    machine = holding("me", [f"k{n}" for n in range(100)], compare_s_per_entry=0.01, settled_s=10.0)

    first = machine.neighbour_up("a", 0.0)
    others = [machine.neighbour_up(peer, 0.1) for peer in ("b", "c", "d")]
    machine.neighbour_down("c", 0.5)
    next_one = machine.timer_fired("compare", 1.0)
    last = machine.timer_fired("compare", 2.0)

    assert first == [Send("a", machine.summary)]
    assert others == [[SetTimer("compare", pytest.approx(0.9))], [], []]
    assert next_one == [Send("b", machine.summary), SetTimer("compare", 1.0)]
    assert last == [Send("d", machine.summary)]


def test_where_no_news_has_come_for_a_while_the_next_one_is_compared_with_sooner() -> None:
    machine = holding("me", [f"k{n}" for n in range(100)], compare_s_per_entry=0.05, settled_s=0.5)
    settled_s = 0.5 + 2 * 100 * 0.001  # the latter as gathered news may be on its way

    machine.neighbour_up("a", 0.0)
    assert machine.neighbour_up("b", 0.0) == [SetTimer("compare", pytest.approx(settled_s))]
    machine.merge([Update("k0", (2,), "news", 0.0)], 0.6)
    not_yet = machine.timer_fired("compare", settled_s)
    compared = machine.timer_fired("compare", 0.6 + settled_s)

    assert not_yet == [SetTimer("compare", pytest.approx(0.6))], "news has come meanwhile"
    assert compared == [Send("b", machine.summary)]


def test_however_much_news_comes_maps_are_compared_in_the_end() -> None:
    machine = holding("me", [f"k{n}" for n in range(100)], compare_s_per_entry=0.01, settled_s=0.5)
    machine.neighbour_up("a", 0.0)
    machine.neighbour_up("b", 0.0)
    machine.merge([Update("k0", (2,), "news", 0.0)], 0.99)

    assert machine.timer_fired("compare", 1.0) == [Send("b", machine.summary)]


def test_what_may_wait_is_gathered_by_the_smallest_neighbour_and_published_together() -> None:
    small, middle, large = exchange("a"), exchange("b"), exchange("c")
    for node in (small, middle, large):
        node.write("earlier", (1,), "u", 0.0)
    small.neighbour_up("b", 0.0)
    middle.neighbour_up("a", 0.0)
    middle.neighbour_up("c", 0.0)
    large.neighbour_up("b", 0.0)

    missed, up, changed = large.write("k", (1,), "v", 0.0, gather=True)
    passed_on = middle.receive("c", Gather((Update("k", (1,), "v", 0.0),), 1), 0.0)[-1]
    own = small.write("own", (1,), "w", 0.0, gather=True)
    waiting = small.receive("b", Gather((Update("k", (1,), "v", 0.0),)), 0.0)
    published = small.timer_fired("publish", 0.1)

    update = Update("k", (1,), "v", 0.0)
    assert isinstance(missed, SetTimer)
    assert up == Send("b", Gather((update,), 1))
    assert changed == Changed("k", None, Entry((1,), "v"))
    assert passed_on == Send("a", Gather((update,), 2))
    assert [type(effect) for effect in own] == [SetTimer, SetTimer, Changed]
    assert waiting == [Changed("k", None, Entry((1,), "v"))]
    assert published == [Publish((Update("own", (1,), "w", 0.0), update))]
    assert small.timer_fired("publish", 0.2) == []


def test_news_goes_to_who_published_last_and_goes_again_when_it_is_not_published() -> None:
    machine = exchange("m")
    for peer in ("f", "z"):
        machine.neighbour_up(peer, 0.0)
    machine.published("a", "z", (), 0.0)

    missed, up, _ = machine.write("k", (1,), "v", 0.0, gather=True)
    assert isinstance(missed, SetTimer)
    machine.neighbour_down("z", 0.1)
    later, again = machine.timer_fired(missed.name, missed.delay_s)

    assert up == Send("z", Gather((Update("k", (1,), "v", 0.0),), 1))
    assert isinstance(later, SetTimer)
    assert again == Send("f", Gather((Update("k", (1,), "v", 0.0),), 1))


def test_who_compares_maps_hears_who_gathers_news_until_that_one_is_gone() -> None:
    machine, other = exchange("m"), holding("o", "a")
    machine.neighbour_up("o", 0.0)
    other.published("c", "x", (), 0.0)

    (sketch,) = other.receive("m", machine.summary, 1.0)
    assert isinstance(sketch, Send)
    machine.receive("o", sketch.message, 1.0)
    machine.receive("no neighbour", Sketch((0,) * 64, "b", 0.0), 1.0)
    _, up, _ = machine.write("k", (1,), "v", 1.0, gather=True)
    machine.gone("c")
    stays, _ = machine.write("l", (1,), "v", 1.0, gather=True)

    assert isinstance(sketch.message, Sketch) and sketch.message.collector == "c"
    assert sketch.message.collector_age_s == 1.0
    assert up == Send("o", Gather((Update("k", (1,), "v", 0.0),), 1))
    assert isinstance(stays, SetTimer)


def test_a_node_that_leaves_publishes_what_it_has_gathered() -> None:
    machine = exchange()
    machine.write("k", (1,), "v", 0.0, gather=True)

    assert machine.leave(0.0) == [Publish((Update("k", (1,), "v", 0.0),))]


def test_every_period_compares_with_one_neighbour_and_sets_the_next() -> None:
    machine = exchange(period_s=10.0)
    (timer,) = machine.start(0.0)
    assert isinstance(timer, SetTimer)
    alone = machine.timer_fired(timer.name, 10.0)
    machine.neighbour_up("a", 10.0)
    machine.neighbour_up("b", 10.0)

    effects = machine.timer_fired(timer.name, 20.0)

    assert [type(effect) for effect in alone] == [SetTimer]
    assert 7.5 <= timer.delay_s <= 12.5
    sends = [effect for effect in effects if isinstance(effect, Send)]
    assert len(sends) == 1
    assert sends[0].peer in ("a", "b")
    assert sends[0].message == machine.summary


def test_at_the_bound_an_own_write_to_a_new_key_is_refused_and_known_keys_still_change() -> None:
    machine = exchange(entries_max=1)
    machine.write("a", (1,), "v", 0.0)

    assert machine.write("b", (1,), "v", 0.0) == [Refused("b", 1)]
    assert machine.write("a", (2,), "w", 0.0) != []


def test_at_the_bound_a_new_key_from_elsewhere_is_dropped_and_counted() -> None:
    machine = exchange(entries_max=1)
    machine.write("a", (1,), "v", 0.0)

    assert machine.merge([Update("b", (1,), "v", 0.0)], 0.0) == []
    assert machine.dropped == 1


def test_two_full_maps_that_cannot_agree_do_not_talk_for_ever() -> None:
    one, two = holding("one", "ab", entries_max=2), holding("two", "cd", entries_max=2)

    sent = talk(one, two, one.neighbour_up("two", 0.0))

    assert len(sent) < 10


def test_a_node_that_has_forgotten_a_tombstone_does_not_keep_it_alive() -> None:
    one, two = exchange("one", tombstone_ttl_s=60.0), exchange("two", tombstone_ttl_s=60.0)
    one.write("k", (1,), None, 0.0)
    talk(one, two, one.neighbour_up("two", 30.0), now=30.0)
    held = two.get("k")

    talk(one, two, one.neighbour_up("two", 61.0), now=61.0)

    assert held == Entry((1,), None)
    assert one.summary == two.summary == Summary(0, 0)


def test_an_empty_key_and_a_value_that_cannot_travel_are_refused() -> None:
    with pytest.raises(ConfigError, match="key"):
        exchange().write("", (1,), "v", 0.0)
    with pytest.raises(TypeError, match="object"):
        exchange().write("k", (1,), object(), 0.0)


@pytest.mark.parametrize("field", ["period_s", "pull_timeout_s", "tombstone_ttl_s", "entries_max", "page_max"])
def test_an_option_that_makes_no_sense_is_refused_by_its_name(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        exchange(**{field: 0})


class _NoAddresses:
    def addresses_of(self, node: object) -> list[str]:
        return []

    def learn(self, node: object, addresses: object) -> None: ...


@pytest.mark.parametrize(
    "message",
    [
        Summary(3, 2**64 - 1),
        Sketch((0,) * 63 + (2**64 - 1,)),
        Sketch((0,) * 64, NodeId("n", 1), 0.5),
        Gather((Update("a", (1,), "v", 0.0),)),
        Page(2**64 - 1, "", None, ()),
        Page(5, "a", "c", (("b", (1, 2), 7), ("c", (), 2**63))),
        Offer((("b", (1, 2), 7),)),
        Want(("a", "b"), 3, "c"),
        Want((), 0, None),
        Entries((Update("a", (1,), {"k": [1, None]}, 0.5), Update("b", (2,), None, 0.0)), last=True),
    ],
)
def test_every_message_travels_the_wire_unchanged(message: object) -> None:
    assert decode_message(encode_message(message, _NoAddresses()), _NoAddresses()) == message


# Whole clusters, over overlays that stand still.


def test_a_write_reaches_every_node_by_broadcast_before_any_period_is_over() -> None:
    links = random_graph(30, 4, seed=1)
    simulation = running(links, with_exchange(links, ExchangeOptions(period_s=1000.0)), seed=1)

    for node in links:
        simulation.write(node, f"node/{node}", (1,), node)
    simulation.run_for(2.0)

    check_converged(simulation)
    assert len(simulation.changes) == 30 * 30


def test_writes_made_while_apart_are_everywhere_after_healing() -> None:
    links = line(6)
    simulation = running(links, with_exchange(links, ExchangeOptions(period_s=1.0)), seed=2)
    with simulation.network.rule(lambda sender, receiver, message: None):
        for node in links:
            simulation.write(node, "shared", (1,), f"by {node}")
            simulation.write(node, f"own/{node}", (1,), node)
        simulation.run_for(5.0)

    eventually(simulation, check_converged, within_s=30.0)

    exchange_of_0 = simulation.stack(0).exchange
    assert exchange_of_0 is not None
    assert len(dict(exchange_of_0.items())) == 7
