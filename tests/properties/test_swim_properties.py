"""Promises of the detector about any order of inputs."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.protocols.detector.opinions import Accused, Cleared, Confirmed, Suspected
from partisan_actors.protocols.detector.rumours import Update
from partisan_actors.protocols.detector.swim import Swim
from partisan_actors.protocols.detector.swim_messages import Ack, Nack, Ping, PingReq
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.protocols.machine import CancelTimer, Send, SetTimer

PEERS = ("me", "a", "b", "c", "d", "e", "f")
peers = st.sampled_from(PEERS)
updates = st.lists(st.builds(Update, st.integers(-1, 4), peers, st.integers(0, 3), peers), max_size=3).map(tuple)
messages = st.one_of(
    st.builds(Ping, st.integers(0, 9), updates),
    st.builds(PingReq, st.integers(0, 9), peers, updates),
    st.builds(Ack, st.integers(0, 9), updates),
    st.builds(Nack, st.integers(0, 9)),
)
inputs = st.lists(
    st.one_of(
        st.tuples(st.just("receive"), peers, messages),
        st.tuples(st.just("fire"), st.sampled_from((0.0, 0.0, 0.1, 3.0))),
        st.tuples(st.sampled_from(("watch", "unwatch", "heard", "refuted", "peer_down")), peers),
        st.tuples(st.just("suspected"), peers, st.lists(peers, max_size=3)),
        st.tuples(st.just("accused")),
    ),
    max_size=60,
)
options = st.sampled_from(
    (SwimOptions(), SwimOptions.classic(period_s=1.0), SwimOptions(gossip_factor=2.0, rumours_max=3, errands_max=2))
)


@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 2**32), chosen=options, told=inputs)
def test_whatever_it_is_told_it_tells_the_truth_about_its_opinions(
    seed: int, chosen: SwimOptions, told: list[tuple[Any, ...]]
) -> None:
    swim = Swim("me", chosen, random.Random(seed))
    now, timers, suspects = 0.0, {}, set()
    pending = [swim.start(now)]
    for name, *arguments in told:
        for effects in pending:
            for effect in effects:
                match effect:
                    case SetTimer(timer, delay_s):
                        assert delay_s >= 0.0
                        timers[timer] = now + delay_s
                    case CancelTimer(timer):
                        timers.pop(timer, None)
                    case Suspected(peer):
                        assert peer not in suspects and peer != "me"
                        suspects.add(peer)
                    case Cleared(peer):
                        suspects.remove(peer)
                    case Confirmed(peer):
                        suspects.discard(peer)
                        assert not swim.opinions.knows(peer)
                    case Accused(incarnation):
                        assert incarnation <= swim.incarnation
                    case Send(peer, message):
                        assert isinstance(message, swim.messages)
        # There is always a period to come, and one timer for each suspect.
        assert "period" in timers
        assert suspects == set(swim.opinions.suspects)
        assert sum(timer.startswith("suspicion:") for timer in timers) == len(suspects)
        assert len(swim.opinions.rumours) <= chosen.rumours_max
        assert 0 <= swim.health.score <= chosen.health_max
        if name == "fire":
            timer = min(timers, key=lambda each: timers[each])
            now = max(now, timers.pop(timer)) + arguments[0]
            pending = [swim.timer_fired(timer, now)]
        else:
            pending = [getattr(swim, name)(*arguments, now)]
            if name == "unwatch":
                suspects.discard(arguments[0])
