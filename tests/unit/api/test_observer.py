"""Tests of the observer: it asks and is answered, and no node takes it for a member."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.api.inspection import INSPECT
from partisan_actors.api.observer import MEMBERS_TIMEOUTS_S, Observer
from partisan_actors.errors import AuthenticationError, CallTimeout, NotYetConnected
from partisan_actors.ids import NodeId
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import COOKIE, until
from tests.unit.api.runtimes import door, runtimes


async def test_every_member_answers_for_itself() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b", "c") as (a, _, _), Observer(COOKIE, transport=door(network)) as observer:
        await observer.connect([a.node.address])
        answers = await observer.ask_all(await observer.members(), INSPECT, "status")

    assert [(answer.name, answer.value["node"], answer.why) for answer in answers] == [
        ("a", "a", None),
        ("b", "b", None),
        ("c", "c", None),
    ]


async def test_no_node_lists_it_or_counts_it_or_makes_it_a_neighbour() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b") as (a, b), Observer(COOKIE, transport=door(network)) as observer:
        await observer.connect([a.node.address])
        rows = await observer.members()
        answers = await observer.ask_all(rows, INSPECT, "status")

        assert [row["name"] for row in rows] == ["a", "b"]
        assert [answer.value["connected_peers"] for answer in answers] == [1, 1]
        assert [node.name for node in a.node.neighbours()] == ["b"]
        assert [node.name for node in b.node.neighbours()] == ["a"]


async def test_nothing_of_it_is_kept_once_it_has_gone() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,):
        async with Observer(COOKIE, transport=door(network)) as observer:
            await observer.connect([a.node.address])
            await observer.members()
            assert observer.node.me in a.node.router.peers

        await until(lambda: observer.node.me not in a.node.router.peers, "the observer is forgotten")
        assert not a.node.dialling.connection_count


async def test_a_member_that_cannot_be_reached_is_an_answer_that_says_why() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b") as (a, b):
        network.unreachable.add(b.node.address)
        async with Observer(COOKIE, transport=door(network)) as observer:
            await observer.connect([a.node.address])
            reached, lost = await observer.ask_all(await observer.members(), INSPECT, "views")

    assert reached.why is None
    assert lost.name == "b" and lost.value is None and "nobody listens there" in str(lost.why)


async def test_a_member_whose_address_belongs_to_another_node_by_now_is_not_taken_for_it() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b") as (a, _), Observer(COOKIE, transport=door(network)) as observer:
        await observer.connect([a.node.address])
        _, row = await observer.members()
        (answer,) = await observer.ask_all([{**row, "id": "b~1"}], INSPECT, "views")

    assert answer.value is None and "it wanted another node" in str(answer.why)


async def test_a_member_that_does_not_know_the_question_is_an_answer_too() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,), Observer(COOKIE, transport=door(network)) as observer:
        await observer.connect([a.node.address])
        (answer,) = await observer.ask_all(await observer.members(), INSPECT, "of_another_version")

    assert answer.value is None and "of_another_version" in str(answer.why)


async def test_an_address_that_does_not_answer_is_passed_over() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,), Observer(COOKIE, transport=door(network)) as observer:
        contact = await observer.connect(["nobody:1", a.node.address])

        assert contact == observer.contact == a.node.me
        assert observer.cluster == "tests"


async def test_when_no_address_answers_the_first_is_named() -> None:
    async with Observer(COOKIE, transport=door(MemoryNetwork())) as observer:
        with pytest.raises(NotYetConnected, match="first:1"):
            await observer.connect(["first:1", "second:2"])


@pytest.mark.parametrize(
    ("cookie", "cluster", "why"),
    [(b"another cookie", "", "the cookies differ"), (COOKIE, "another", "another")],
)
async def test_another_cookie_and_another_cluster_are_refused_in_silence(
    cookie: bytes, cluster: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,):
        async with Observer(cookie, cluster, transport=door(network)) as observer:
            with pytest.raises(AuthenticationError, match=why):
                await observer.connect([a.node.address])

        await until(lambda: a.node.refused_connections == 1, "the node counts a refusal")

    # The node that was asked logs it; the one that asked has its exception. Others in this process, such as an exporter
    # of an earlier test, may log what they like.
    ours = [record for record in caplog.records if record.name.startswith("partisan_actors")]
    assert [record.name for record in ours if why in record.getMessage()] == ["partisan_actors.node.refusals"]


async def test_a_node_that_ends_while_it_is_asked_is_an_answer_too() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b") as (a, b), Observer(COOKIE, transport=door(network)) as observer:
        await observer.connect([a.node.address])
        rows = await observer.members()
        await b.close()

        first, second = await observer.ask_all(rows, INSPECT, "views")

    assert first.why is None and second.why is not None


class Lossy(Observer):
    """One whose first questions are lost."""

    def __init__(self, lost: int) -> None:
        super().__init__(b"")
        self.lost = lost
        self.waited: list[float] = []

    @property
    def contact(self) -> NodeId:
        """Somebody."""
        return NodeId("a", 1)

    async def ask(self, node: NodeId, service: str, method: str, *args: Any, timeout_s: float = 0.0) -> Any:
        """Two rows, unless the question is lost."""
        self.waited.append(timeout_s)
        if len(self.waited) <= self.lost:
            raise CallTimeout(f"{service}.{method}", timeout_s)
        return [{"name": "b"}, {"name": "a"}]


async def test_members_are_asked_for_again_when_the_question_is_lost() -> None:
    observer = Lossy(lost=2)

    assert [row["name"] for row in await observer.members()] == ["a", "b"]
    assert observer.waited == list(MEMBERS_TIMEOUTS_S[:3])


async def test_who_is_silent_all_the_time_is_an_error() -> None:
    observer = Lossy(lost=len(MEMBERS_TIMEOUTS_S))

    with pytest.raises(CallTimeout):
        await observer.members()
    assert len(observer.waited) == len(MEMBERS_TIMEOUTS_S)
