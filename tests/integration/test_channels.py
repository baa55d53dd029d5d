"""Channels and lanes between real processes: order and separation."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.telemetry.records import AskFinished, TellSent
from partisan_actors.wire.channels import partition_of
from tests.integration.on_loop import on_loop
from tests.integration.programs import wait_until

LANES = 4
SENDERS = 3
EACH = 400
LARGE_BYTES = 1 << 20
CHANNELS = {"calls": LANES, "gossip": 2, "state": {"monotonic": True}}


@pa.actor
class Log:
    def __init__(self) -> None:
        self.entries: list[tuple[int, int]] = []

    def write(self, sender: int, number: int) -> None:
        self.entries.append((sender, number))

    async def write_async(self, sender: int, number: int) -> None:
        self.entries.append((sender, number))

    def read(self) -> list[tuple[int, int]]:
        return self.entries

    def write_elsewhere(self, other: pa.ActorHandle[Log], sender: int, count: int) -> None:
        for number in range(count):
            other.write.tell(sender, number)


@pytest.fixture(scope="module")
def lanes() -> Iterator[pa.Session]:
    with pa.init(workers=2, channels=CHANNELS) as session:
        yield session


@pytest.mark.parametrize("method", ["write", "write_async"])
def test_messages_of_one_sender_arrive_in_order_over_parallel_lanes(lanes: pa.Session, method: str) -> None:
    logs = [Log.options(placement="spread").remote() for _ in range(4)]

    def send(sender: int) -> None:
        for number in range(EACH):
            for log in logs:
                getattr(log, method).tell(sender, number)

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(SENDERS)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()

    for log in logs:
        entries = pa.get(log.read.remote())
        for sender in range(SENDERS):
            assert [number for who, number in entries if who == sender] == list(range(EACH))


def test_messages_from_an_actor_to_an_actor_arrive_in_order(lanes: pa.Session) -> None:
    source, target = (Log.options(placement="spread").remote() for _ in range(2))

    pa.get([source.write_elsewhere.remote(target, 7, EACH)])
    wait_until(lambda: len(pa.get(target.read.remote())) == EACH, "all that was told to arrive")

    assert pa.get(target.read.remote()) == [(7, number) for number in range(EACH)]


def test_every_lane_of_a_channel_carries_some_actors_calls(lanes: pa.Session) -> None:
    logs = [Log.remote() for _ in range(32)]

    pa.get([log.read.remote() for log in logs])

    peers = on_loop(lanes, lambda: list(lanes.runtime.node.router.peers.values()))
    worker_lanes = [peer.lanes["calls"] for peer in peers if not peer.is_self]
    assert all(len(each) == LANES for each in worker_lanes)
    assert any(sum(lane is not None for lane in each) > 1 for each in worker_lanes)


def test_a_call_may_go_over_a_channel_of_the_users(lanes: pa.Session) -> None:
    log = Log.remote()
    write = log.write.options(channel="gossip")

    pa.get([write.remote(1, number) for number in range(EACH)])

    assert pa.get(log.read.remote()) == [(1, number) for number in range(EACH)]
    peers = on_loop(lanes, lambda: list(lanes.runtime.node.router.peers.values()))
    assert any(lane is not None for peer in peers for lane in peer.lanes["gossip"])


@pa.actor
class Generous:
    async def give(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number

    def give_from_a_thread(self, count: int) -> Iterator[int]:
        yield from range(count)


@pytest.mark.parametrize("method", ["give", "give_from_a_thread"])
def test_the_items_of_a_call_on_a_channel_of_the_users_come_in_order_and_whole(lanes: pa.Session, method: str) -> None:
    giver = Generous.remote()

    items = getattr(giver, method).options(channel="gossip").remote(EACH)

    assert pa.get(list(items)) == list(range(EACH))


@pa.actor(channel="gossip", partition_key=1)
class Gossip:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def hear(self, number: int) -> int:
        self.heard.append(number)
        return len(self.heard)

    def pass_on(self, other: pa.ActorHandle[Gossip], number: int) -> tuple[str, int | None]:
        pa.get(other.hear.remote(number))
        return other.hear._channel, other.hear._partition


def how(handle: Any) -> tuple[str, int | None]:
    return handle.hear._channel, handle.hear._partition


def test_a_class_and_a_handle_say_how_their_methods_are_sent_and_a_method_may_differ(lanes: pa.Session) -> None:
    plain = Gossip.options(channel="calls").remote()
    gossip = Gossip.remote()
    quick = pa.with_options(gossip, channel="calls", partition_key="key")

    assert how(gossip) == ("gossip", 1)
    assert how(plain) == ("calls", 1)
    assert how(quick) == ("calls", partition_of("key")) and quick == gossip
    assert how(pa.with_options(quick, partition_key=7)) == ("calls", 7)
    other = gossip.hear.options(channel="calls")
    assert (other._channel, other._partition) == ("calls", 1)
    for number, each in enumerate((gossip, quick), start=1):
        assert pa.get(each.hear.remote(number)) == number


def test_how_a_handle_sends_goes_where_it_is_sent(lanes: pa.Session) -> None:
    first, second = (Gossip.options(placement="spread").remote() for _ in range(2))

    assert pa.get(first.pass_on.remote(second, 1)) == ("gossip", 1)
    other = pa.with_options(second, channel="calls", partition_key=3)
    assert pa.get(first.pass_on.remote(other, 2)) == ("calls", 3)
    named = Gossip.options(name="gossip of the tests", channel="state").remote()
    assert how(pa.get_actor("gossip of the tests")) == ("state", 1)
    with pytest.raises(pa.ConfigError, match=r"only \.tell"):
        named.hear.remote(1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"channel": "nope"}, r"channel = 'nope'.*calls.*gossip"),
        ({"channel": 7}, "the name of a channel"),
        ({"partition_key": -1}, "partition_key"),
        ({"causal": "nope"}, "nope"),
        ({"chanel": "calls"}, "did you mean 'channel'"),
    ],
)
def test_what_a_class_cannot_have_is_refused(lanes: pa.Session, options: dict[str, Any], text: str) -> None:
    with pytest.raises(pa.ConfigError, match=text):
        Gossip.options(**options).remote()


def test_what_a_handle_cannot_have_is_refused(lanes: pa.Session) -> None:
    gossip = Gossip.remote()

    with pytest.raises(pa.ConfigError, match="channel = 'nope'"):
        pa.with_options(gossip, channel="nope")
    with pytest.raises(pa.ConfigError, match="partition_key"):
        pa.with_options(gossip, partition_key=1.5)  # type: ignore[arg-type]  # what is wrong on purpose


def test_traces_say_which_lane_a_partition_key_has_chosen(lanes: pa.Session) -> None:
    log, recorder = Log.remote(), lanes.runtime.system.recorder
    pa.get(log.read.remote())
    recorder.configure(enabled=True)
    try:
        for key in (0, 3, 6):
            pa.get(log.write.options(partition_key=key).remote(1, key))
            log.write.options(partition_key=key).tell(1, key)
        records = recorder.take(10_000)
    finally:
        recorder.configure(enabled=False)

    asked = [record.lane for record in records if isinstance(record, AskFinished)]
    told = [record.lane for record in records if isinstance(record, TellSent)]
    assert asked == told == [0, 3, 6 % LANES]


def test_a_channel_nobody_configured_is_refused(lanes: pa.Session) -> None:
    log = Log.remote()

    with pytest.raises(pa.ConfigError, match=r"channel = 'nope'.*calls.*gossip"):
        log.write.options(channel="nope")


@pa.actor
class Sizes:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def add(self, number: int, load: bytes = b"") -> None:
        self.seen.append(number)

    async def add_async(self, number: int, load: bytes = b"") -> None:
        self.seen.append(number)

    def echo(self, load: bytes) -> bytes:
        return load

    def read(self) -> list[int]:
        return self.seen

    def send_to(self, other: pa.ActorHandle[Sizes], load: bytes, count: int) -> None:
        for number in range(count):
            other.add.tell(number, *([load] if number % 5 == 0 else []))


@pytest.mark.parametrize("method", ["add", "add_async"])
def test_large_arguments_and_small_ones_of_one_caller_arrive_in_order(lanes: pa.Session, method: str) -> None:
    sizes = [Sizes.options(placement="spread").remote() for _ in range(2)]
    load = b"x" * LARGE_BYTES

    for number in range(60):
        for each in sizes:
            getattr(each, method).tell(number, *([load] if number % 7 == 0 else []))

    for each in sizes:
        wait_until(lambda each=each: len(pa.get(each.read.remote())) == 60, "all that was told to arrive")
        assert pa.get(each.read.remote()) == list(range(60))
    assert lanes.runtime.node.interleaving.split_count > 0


def test_large_arguments_between_actors_arrive_in_order_and_large_results_come_back(lanes: pa.Session) -> None:
    source, target = (Sizes.options(placement="spread").remote() for _ in range(2))
    load = bytes(range(256)) * (LARGE_BYTES // 256)

    pa.get(source.send_to.remote(target, load, 40))
    wait_until(lambda: len(pa.get(target.read.remote())) == 40, "all that was told to arrive")

    assert pa.get(target.read.remote()) == list(range(40))
    assert pa.get([source.echo.remote(load) for _ in range(4)]) == [load] * 4


def test_on_a_monotonic_channel_the_last_of_a_burst_arrives_and_what_arrives_is_in_order(lanes: pa.Session) -> None:
    log = Log.remote()
    pa.get(log.read.remote())
    write = log.write_async.options(channel="state")

    for number in range(10_000):
        write.tell(1, number)
    wait_until(lambda: (1, 9_999) in pa.get(log.read.remote()), "the last of the burst to arrive")

    numbers = [number for _, number in pa.get(log.read.remote())]
    assert numbers == sorted(set(numbers))


def test_calls_on_a_monotonic_channel_are_refused(lanes: pa.Session) -> None:
    log = Log.remote()

    with pytest.raises(pa.ConfigError, match=r"channel = 'state'.*not monotonic for Log.read.remote.*only .tell"):
        log.read.options(channel="state").remote()


def test_messages_under_one_partition_key_arrive_in_order_whoever_sends_them(lanes: pa.Session) -> None:
    log = Log.remote()
    write = log.write_async.options(partition_key="orders")

    for number in range(EACH):
        (write if number % 2 else log.write_async.options(partition_key="orders")).tell(number % 3, number)
    wait_until(lambda: len(pa.get(log.read.remote())) == EACH, "all that was told to arrive")

    assert [number for _, number in pa.get(log.read.remote())] == list(range(EACH))
    with pytest.raises(pa.ConfigError, match="partition_key = -1"):
        log.write.options(partition_key=-1)
