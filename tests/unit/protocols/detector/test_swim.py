"""Tests of one node's probes, and of what it makes of what others say."""

from __future__ import annotations

import random
from typing import Any

import pytest

from partisan_actors.protocols.detector.opinions import Accused, Cleared, Confirmed, Suspected
from partisan_actors.protocols.detector.rumours import ALIVE, CONFIRM, SUSPECT, Update
from partisan_actors.protocols.detector.swim import Swim
from partisan_actors.protocols.detector.swim_messages import Ack, Nack, Ping, PingReq
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.protocols.machine import Send, SetTimer

PEERS = ("a", "b", "c", "d", "e")


class Bench:
    """One machine, its timers, and the time."""

    def __init__(self, *peers: str, classic: bool = False, **options: Any) -> None:
        made = SwimOptions.classic(period_s=1.0) if classic else SwimOptions(**options)
        self.swim = Swim("me", made, random.Random(1))
        self.now = 0.0
        self.timers: dict[str, float] = {}
        self.sent: list[tuple[Any, Any]] = []
        self.told: list[Any] = []
        for peer in peers or PEERS:
            self.swim.watch(peer, 0.0)
        self.take(self.swim.start(0.0))

    def take(self, effects: list[Any]) -> None:
        for effect in effects:
            match effect:
                case SetTimer(name, delay_s):
                    self.timers[name] = self.now + delay_s
                case Send(peer, message):
                    self.sent.append((peer, message))
                case Suspected() | Cleared() | Confirmed() | Accused():
                    self.told.append(effect)
                case _:
                    self.timers.pop(effect.name, None)

    def fire(self, late_s: float = 0.0) -> str:
        """Let the next timer fire, so much too late."""
        name = min(self.timers, key=lambda each: self.timers[each])
        self.now = max(self.now, self.timers.pop(name) + late_s)
        self.take(self.swim.timer_fired(name, self.now))
        return name

    def fire_until(self, name: str) -> None:
        while self.fire() != name:
            pass

    def receive(self, sender: str, message: Any) -> None:
        self.take(self.swim.receive(sender, message, self.now))

    def ping(self) -> tuple[str, Ping]:
        """Let a period begin; whom it pinged."""
        self.sent.clear()
        self.fire_until("period")
        ((peer, message),) = [(peer, message) for peer, message in self.sent if isinstance(message, Ping)]
        return peer, message

    def let_answer(self, but: str = "") -> None:
        """All who are pinged answer, but one; helpers say that it does not answer them either."""
        sent, self.sent = self.sent, []
        for peer, message in sent:
            if peer != but and isinstance(message, Ping):
                self.receive(peer, Ack(message.number, ()))
            elif isinstance(message, PingReq):
                self.receive(peer, Nack(message.number) if message.target == but else Ack(message.number, ()))


# ---- probes ----------------------------------------------------------------------------------------------------------


def test_everybody_is_pinged_once_in_a_pass() -> None:
    bench = Bench()
    pinged = []

    for _ in PEERS:
        peer, message = bench.ping()
        bench.receive(peer, Ack(message.number, ()))
        pinged.append(peer)

    assert sorted(pinged) == list(PEERS)


def test_who_answers_is_not_probed_through_others() -> None:
    bench = Bench()
    peer, message = bench.ping()

    bench.receive(peer, Ack(message.number, ()))
    bench.sent.clear()
    bench.fire_until("ack")

    assert bench.sent == [] and bench.told == []


def test_who_does_not_answer_in_time_is_pinged_by_helpers_and_suspected_at_the_end_of_the_period() -> None:
    bench = Bench()
    peer, message = bench.ping()

    bench.fire_until("ack")
    helpers = [to for to, request in bench.sent if request == PingReq(message.number, peer, ())]
    assert len(set(helpers)) == 3 and peer not in helpers
    assert bench.told == []
    bench.fire_until("period")

    assert bench.told == [Suspected(peer, "me")]


def test_an_answer_that_a_helper_brings_is_an_answer() -> None:
    bench = Bench()
    _, message = bench.ping()
    bench.fire_until("ack")
    helper = bench.sent[-1][0]

    bench.receive(helper, Ack(message.number, ()))
    bench.fire_until("period")

    assert bench.told == []


def test_the_answer_to_an_earlier_ping_is_none_to_this_one() -> None:
    bench = Bench(classic=True)
    _, first = bench.ping()
    peer, _ = bench.ping()

    bench.receive(peer, Ack(first.number, ()))
    bench.fire_until("period")

    assert Suspected(peer, "me") in bench.told


def test_what_is_heard_of_a_peer_spares_it_the_ping_and_answers_one() -> None:
    bench = Bench("a", "b", "c")
    busy = bench.swim.upcoming
    bench.take(bench.swim.heard(busy, bench.now))
    bench.fire_until("period")
    assert bench.sent == []

    peer, _ = bench.ping()
    bench.take(bench.swim.heard(peer, bench.now))
    bench.fire_until("period")

    assert bench.told == []


def test_in_the_swim_of_the_paper_other_traffic_spares_nobody_the_ping() -> None:
    bench = Bench("a", "b", classic=True)
    upcoming = bench.swim.upcoming
    bench.receive(upcoming, Ping(7, ()))

    assert bench.ping()[0] == upcoming


def test_a_helper_pings_and_passes_the_answer_on() -> None:
    bench = Bench()
    bench.receive("a", PingReq(77, "x", ()))
    ((target, ping),) = bench.sent
    assert target == "x"

    bench.receive("x", Ack(ping.number, ()))

    assert bench.sent[-1] == ("a", Ack(77, ()))
    assert not any(name.startswith("errand") for name in bench.timers)


def test_a_helper_that_gets_no_answer_says_so_before_the_askers_time_is_up() -> None:
    bench = Bench(period_s=1.0, timeout_s=0.5)
    bench.receive("a", PingReq(77, "x", ()))
    bench.sent.clear()

    bench.fire_until("errand:1")

    assert bench.now == pytest.approx(0.4)
    assert bench.sent == [("a", Nack(77))]


def test_a_helper_that_cannot_reach_the_target_says_so_at_once() -> None:
    bench = Bench()
    bench.receive("a", PingReq(77, "x", ()))

    bench.take(bench.swim.peer_down("x", bench.now))

    assert bench.sent[-1] == ("a", Nack(77))


def test_a_helper_takes_only_so_many_errands() -> None:
    bench = Bench(errands_max=2)

    for number in range(5):
        bench.receive("a", PingReq(number, f"x{number}", ()))

    assert [peer for peer, _ in bench.sent] == ["x0", "x1"]


# ---- suspicions ------------------------------------------------------------------------------------------------------


def suspect_one(bench: Bench) -> str:
    """Let one peer go without an answer; who it is."""
    peer, _ = bench.ping()
    bench.fire_until("ack")
    bench.let_answer(but=peer)
    bench.fire_until("period")
    return peer


def test_a_suspect_that_stays_silent_is_confirmed_when_its_time_is_up_and_not_watched_any_more() -> None:
    bench = Bench()
    peer = suspect_one(bench)
    began = bench.now

    while Confirmed(peer) not in bench.told:
        bench.let_answer(but=peer)
        bench.fire()

    assert bench.now - began == pytest.approx(10.0)
    assert not bench.swim.opinions.knows(peer)


def test_confirmations_of_others_shorten_the_time() -> None:
    bench = Bench()
    peer = suspect_one(bench)
    began = bench.now

    bench.take(bench.swim.suspected(peer, ["x", "y", "z"], bench.now))
    while Confirmed(peer) not in bench.told:
        bench.let_answer(but=peer)
        bench.fire()

    assert bench.now - began == pytest.approx(5.0)


def test_whom_others_suspect_is_pinged_next() -> None:
    bench = Bench()
    bench.let_answer()

    bench.take(bench.swim.suspected("d", ["x"], bench.now))

    assert bench.ping()[0] == "d" and bench.told == []


def test_a_sign_of_life_clears_a_suspect() -> None:
    bench = Bench()
    peer = suspect_one(bench)

    bench.take(bench.swim.heard(peer, bench.now))

    assert bench.told == [Suspected(peer, "me"), Cleared(peer)]
    assert not any(name.startswith("suspicion") for name in bench.timers)


def test_the_suspect_is_told_first_of_all_and_says_that_it_lives() -> None:
    watcher, other = Bench(), Bench("me2")
    peer = suspect_one(watcher)
    watcher.sent.clear()
    while not any(to == peer and isinstance(message, Ping) for to, message in watcher.sent):
        watcher.let_answer(but=peer)
        watcher.fire()
    ping = watcher.sent[-1][1]
    assert ping.updates == (Update(SUSPECT, peer, 0, "me"),)
    other.swim.me = other.swim.opinions.me = peer

    other.receive("me", ping)
    watcher.receive(peer, other.sent[-1][1])

    assert other.told == [Accused(1)] and other.swim.health.score == 1
    assert watcher.told == [Suspected(peer, "me"), Cleared(peer)]


def test_an_accusation_that_was_refuted_already_is_answered_and_counts_for_nothing() -> None:
    bench = Bench()
    accusation = Update(SUSPECT, "me", 0, "a")
    bench.receive("a", Ping(1, (accusation,)))
    bench.receive("b", Ping(2, (accusation,)))

    assert bench.told == [Accused(1)]
    assert bench.sent[-1] == ("b", Ack(2, (Update(ALIVE, "me", 1, "me"),)))


def test_statements_about_others_are_not_believed_where_they_are_not_passed_on() -> None:
    bench = Bench()

    bench.receive(
        "a", Ping(1, (Update(CONFIRM, "b", 0, "a"), Update(SUSPECT, "c", 0, "a"), Update(ALIVE, "x", 0, "a")))
    )

    assert bench.told == [] and not bench.swim.opinions.knows("x")


# ---- the SWIM of the paper -------------------------------------------------------------------------------------------


def test_statements_ride_on_pings_and_answers_and_are_passed_on() -> None:
    bench = Bench(classic=True)
    update = Update(SUSPECT, "b", 0, "x")

    bench.receive("a", Ping(1, (update,)))

    assert bench.told == [Suspected("b", "x")]
    assert bench.sent[-1] == ("a", Ack(1, (update,)))
    assert bench.ping()[1].updates == (update,)


def test_newcomers_are_learned_from_statements_and_those_that_went_do_not_come_back() -> None:
    bench = Bench(classic=True)

    bench.receive("a", Ping(1, (Update(ALIVE, "new", 3, "new"),)))
    assert bench.swim.opinions.knows("new") and bench.swim.opinions.incarnation("new") == 3
    bench.receive("a", Ping(2, (Update(CONFIRM, "new", 3, "x"),)))
    bench.receive("a", Ping(3, (Update(ALIVE, "new", 4, "new"),)))

    assert bench.told == [Confirmed("new")] and not bench.swim.opinions.knows("new")


def test_a_statement_of_a_kind_that_nobody_knows_changes_nothing() -> None:
    bench = Bench(classic=True)

    bench.receive("a", Ping(1, (Update(99, "b", 0, "x"),)))

    assert bench.told == []


# ---- local health ----------------------------------------------------------------------------------------------------


def test_a_probe_that_fails_with_no_word_from_helpers_makes_this_node_more_patient() -> None:
    bench = Bench()
    bench.ping()
    bench.fire_until("ack")
    began = bench.now
    bench.fire_until("period")

    assert bench.swim.health.score == 3  # three helpers that said nothing
    bench.fire_until("period")

    assert bench.now - began > 4.0


def test_a_probe_that_fails_while_helpers_say_that_they_failed_too_is_not_this_nodes_fault() -> None:
    bench = Bench()
    suspect_one(bench)

    assert bench.swim.health.score == 0


def test_answers_in_time_make_it_healthy_again() -> None:
    bench = Bench()
    bench.swim.health.worse(2)

    for _ in range(2):
        bench.ping()
        bench.let_answer()
    bench.fire_until("period")

    assert bench.swim.health.score == 0


def test_a_node_whose_timer_is_late_blames_itself_forgets_the_probe_and_gives_suspects_the_time_back() -> None:
    bench = Bench()
    suspect = suspect_one(bench)
    end = bench.timers["suspicion:1"]
    bench.let_answer()
    bench.fire_until("period")
    bench.told.clear()

    bench.fire(late_s=7.0)

    assert bench.swim.stalls == 1 and bench.swim.health.score == 1
    assert bench.timers["suspicion:1"] == pytest.approx(end + 7.5)
    bench.fire_until("period")
    assert bench.told == [] and suspect in bench.swim.opinions.suspects


def test_a_suspicion_whose_timer_is_late_ends_nobody() -> None:
    bench = Bench()
    peer = suspect_one(bench)
    bench.timers = {name: at for name, at in bench.timers.items() if name.startswith("suspicion")}

    bench.fire(late_s=1.0)

    assert Confirmed(peer) not in bench.told
    assert bench.timers["suspicion:1"] == pytest.approx(bench.now + 0.5)


def test_the_swim_of_the_paper_knows_no_local_health() -> None:
    bench = Bench(classic=True)
    peer, _ = bench.ping()

    bench.fire(late_s=5.0)
    bench.fire_until("period")

    assert bench.swim.stalls == bench.swim.health.score == 0
    assert bench.told == [Suspected(peer, "me")]


# ---- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"period_s": 0}, "period_s"),
        ({"timeout_s": 1.0}, "timeout_s"),
        ({"suspicion_factor": 0.5}, "suspicion_factor"),
        ({"helpers": -1}, "helpers"),
        ({"errands_max": 0}, "errands_max"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_with_what_would(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} = .* is not valid: expected"):
        SwimOptions(**options)
