"""The paper's experiments: two nodes and pairs of actors that stop and wait, and services of three nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.cli.bench.paper.actors import Client, Receiver, Sender, Vnode
from partisan_actors.cli.bench.paper.plan import Setting
from partisan_actors.cli.bench.paper.results import Record
from partisan_actors.cli.bench.paper.stage import staged

__all__ = ["PARTITIONS", "Announce", "pairs", "services"]

PARTITIONS: Final = 63
PATIENCE_S: Final = 600.0

Announce = Callable[[Record], None]


def pairs(experiment: str, settings: Sequence[Setting], repetitions: int, announce: Announce) -> list[Record]:
    """Stop-and-wait between two nodes: every sender on one has a receiver on the other.

    The settings must share a wire. Repetitions go round all settings in turn, so that a machine that is slow for a
    while is slow for all of them. Raises PlayerLost and PartisanError.
    """
    records = []
    channels = {name: each for setting in settings for name, each in setting.configuration.options().items()}
    with staged(2, settings[0].wire, channels) as (here, there):
        most = max(setting.actors for setting in settings)
        senders = [Sender.options(placement=pa.NodeAffinity(here)).remote(n, 1) for n in range(most)]
        receivers = [Receiver.options(placement=pa.NodeAffinity(there)).remote() for n in range(most)]
        two = list(zip(senders, receivers, strict=True))
        for setting in settings:
            _send(two, replace(setting, size=1, seconds=0.1, messages=32))  # opens every connection
        for repetition, setting in _rounds(settings, repetitions):
            begin = time.perf_counter()
            took = _send(two, setting)
            records.append(Record(experiment, setting, repetition, took, time.perf_counter() - begin))
            announce(records[-1])
    return records


def _send(two: Sequence[tuple[Any, Any]], setting: Setting) -> list[float]:
    how = setting.configuration
    refs = [
        sender.run.remote(receiver, setting.size, how.channel_of(number), how.key, setting.seconds, setting.messages)
        for number, (sender, receiver) in enumerate(two[: setting.actors])
    ]
    return [each for took in pa.get(refs, timeout=setting.seconds + PATIENCE_S) for each in took]


def services(service: str, settings: Sequence[Setting], repetitions: int, announce: Announce) -> list[Record]:
    """`service` is "echo" or "kvs", on a ring of partitions over three nodes with so many clients on each.

    The settings must share a wire and a size. Raises PlayerLost and PartisanError.
    """
    records = []
    channels = {name: each for setting in settings for name, each in setting.configuration.options().items()}
    with staged(3, settings[0].wire, channels) as names:
        ring = [
            Vnode.options(placement=pa.NodeAffinity(names[number % len(names)])).remote(settings[0].size)
            for number in range(PARTITIONS)
        ]
        most = max(setting.actors for setting in settings)
        clients = [
            Client.options(placement=pa.NodeAffinity(name)).remote(1000 * place + number, 1)
            for number in range(most)
            for place, name in enumerate(names)
        ]
        for setting in settings:
            _use(service, clients, ring, replace(setting, size=1, seconds=0.1))
        for repetition, setting in _rounds(settings, repetitions):
            begin = time.perf_counter()
            took = _use(service, clients[: setting.actors * len(names)], ring, setting)
            records.append(Record(service, setting, repetition, took, time.perf_counter() - begin))
            announce(records[-1])
    return records


def _use(service: str, clients: Sequence[Any], ring: Sequence[Any], setting: Setting) -> list[float]:
    how = setting.configuration
    refs = [
        client.run.remote(client, service, list(ring), setting.size, how.channel_of(number), how.key, setting.seconds)
        for number, client in enumerate(clients)
    ]
    return [each for took in pa.get(refs, timeout=setting.seconds + PATIENCE_S) for each in took]


def _rounds(settings: Sequence[Setting], repetitions: int) -> Iterator[tuple[int, Setting]]:
    for repetition in range(repetitions):
        for setting in settings:
            yield repetition, setting
