"""Tests of the overlay as it was: clusters that come to be by chance, and are then looked at in each moment."""

from __future__ import annotations

import random
from typing import Any

import pytest

from partisan_actors.api.event_rows import merge_events
from partisan_actors.dashboard.overlay_past import known_since, moments_of, picture_at
from partisan_actors.telemetry.event_kinds import KINDS
from tests.unit.dashboard.fakes import FakeCluster, member, served

WITNESS = "n0"


class Story:
    """A cluster in which things happen, a minute apart, told by who sees them, and forgotten with their process."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        self.states: dict[str, str] = {}
        self.since: dict[str, float] = {}
        self.links: set[frozenset[str]] = set()
        self.feeds: dict[str, list[dict[str, Any]]] = {}
        self.kept: list[tuple[float, dict[str, str], set[frozenset[str]]]] = []
        self.join(WITNESS)
        self.keep()

    def up(self) -> list[str]:
        return sorted(name for name, state in self.states.items() if state in ("up", "suspect"))

    def tell(self, by: str, kind: str, about: str, **fields: str) -> None:
        rows = self.feeds[by]
        facts = {"seq": len(rows) + 1, "time": self.now, "kind": kind, "severity": KINDS[kind].severity, "node": by}
        rows.append({**facts, "about": about, "text": f"{kind} {about}", "fields": fields})

    def join(self, name: str) -> None:
        others = self.up()
        self.states[name], self.since[name], self.feeds[name] = "up", self.now, []
        self.tell(name, "node.started", name, id=f"{name}~{self.now}")
        for other in others:
            self.tell(other, "node.up", name, id=f"{name}~{self.now}")
        if others:
            self.link(name, self.rng.choice(others))

    def link(self, one: str, other: str) -> None:
        is_there = frozenset((one, other)) in self.links
        self.links ^= {frozenset((one, other))}
        for me, peer in ((one, other), (other, one)):
            self.tell(me, "overlay.unlinked" if is_there else "overlay.linked", peer, node=me)

    def end(self, name: str) -> None:
        kind, self.states[name] = self.rng.choice([("node.down", "down"), ("node.left", "left")])
        del self.feeds[name]
        for other in self.up():
            self.tell(other, kind, name, id=name)
            if frozenset((name, other)) in self.links:
                self.tell(other, "overlay.unlinked", name, node=other)
        self.links = {link for link in self.links if name not in link}

    def suspect(self, name: str) -> None:
        is_suspect = self.states[name] == "suspect"
        self.states[name] = "up" if is_suspect else "suspect"
        for other in self.up():
            if other != name:
                self.tell(other, "node.refuted" if is_suspect else "node.suspected", name, id=name)

    def step(self) -> None:
        self.now += 60.0
        others = [name for name in self.up() if name != WITNESS]
        what = self.rng.random()
        if (what < 0.35 and len(others) < 11) or len(others) < 2:
            self.join(self.rng.choice([f"n{number}" for number in range(1, 12) if f"n{number}" not in self.up()]))
        elif what < 0.7:
            self.link(*self.rng.sample(self.up(), 2))
        elif what < 0.85:
            self.suspect(self.rng.choice(others))
        else:
            self.end(self.rng.choice(others))
        self.keep()

    def keep(self) -> None:
        states = {name: state for name, state in self.states.items() if state != "left"}
        self.kept.append((self.now, states, set(self.links)))

    def members(self) -> list[dict[str, Any]]:
        return [member(name, state) for name, state in self.states.items()]

    def views(self) -> dict[str, Any]:
        return {name: {"neighbours": self.near(name), "views": {"passive": ["n1"]}} for name in self.up()}

    def near(self, name: str) -> list[str]:
        return sorted(other for link in self.links if name in link for other in link if other != name)


@pytest.mark.parametrize("seed", range(25))
def test_every_moment_is_seen_again_as_far_as_somebody_who_lives_has_seen_it(seed: int) -> None:
    story = Story(seed)
    for _ in range(50):
        story.step()
    events = merge_events(row for rows in story.feeds.values() for row in rows)
    living = set(story.up())

    for time, states, links in story.kept:
        picture = picture_at(story.members(), story.views(), events, time + 1.0)

        assert {node["name"]: node["state"] for node in picture["nodes"]} == states, (seed, time)
        told = {link for link in links if any(name in living and story.since[name] <= time for name in link)}
        found = {frozenset((link["from"], link["to"])) for link in picture["links"]}
        assert told <= found <= links, (seed, time)
        assert not picture["one_sided"] and not picture["passive"] and not picture["tree"]


def test_the_latest_moment_is_now() -> None:
    story = Story(3)
    for _ in range(30):
        story.step()
    events = merge_events(row for rows in story.feeds.values() for row in rows)

    picture = picture_at(story.members(), story.views(), events, story.now)

    assert {frozenset((link["from"], link["to"])) for link in picture["links"]} == story.links


def test_how_far_back_it_goes_is_where_the_first_node_has_forgotten_something() -> None:
    rows = [{"time": float(number), "kind": "overlay.linked"} for number in range(10, 20)]

    assert known_since({}, 100, 200) is None
    assert known_since({"a": rows, "b": rows[5:]}, 100, 200) == 10.0
    assert known_since({"a": rows, "b": rows[5:]}, 5, 200) == 15.0, "b was asked for five, and may have more"
    assert known_since({"a": rows, "b": [{"time": 12.0, "kind": "node.up"}, *rows[8:]]}, 100, 10) == 10.0
    assert known_since({"a": rows, "b": rows[4:]}, 100, 6) == 14.0, "b keeps six of a kind, and has six"


def test_moments_are_what_changes_the_picture() -> None:
    story = Story(1)
    for _ in range(10):
        story.step()
    more = {"time": 0.0, "kind": "node.configured", "severity": "warning", "about": "a", "text": "", "fields": {}}

    moments = moments_of([*merge_events(story.feeds[WITNESS]), more])

    assert moments and "node.configured" not in {each["kind"] for each in moments}


async def test_the_past_is_asked_for_by_time_and_says_how_far_back_it_goes() -> None:
    story = Story(5)
    for _ in range(20):
        story.step()
    cluster = FakeCluster(*story.members())
    cluster.say("inspect.overlay", lambda name: story.views().get(name))
    cluster.say("events.tail", lambda name: lambda query: {"rows": story.feeds[name], "next": 0, "dropped": 0})
    async with served(cluster) as (client, _):
        async with client.get("/api/v1/overlay/past") as response:
            past = await response.json()
        async with client.get(f"/api/v1/overlay?at_ms={int(story.kept[3][0] * 1000) + 1}") as response:
            then = await response.json()
        async with client.get("/api/v1/overlay?at_ms=-1") as response:
            assert response.status == 400

    assert past["since"] == 0.0 and past["until"] == 1000.0 and len(past["moments"]) > 20
    assert {node["name"]: node["state"] for node in then["nodes"]} == story.kept[3][1]
    assert then["at"] == story.kept[3][0] + 0.001
