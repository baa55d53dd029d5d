"""Latencies that depend on who sends to whom, or have a long tail; and all of them by name.

Each is a `network.Latency`: nanoseconds from a node to another, drawn from the sender's stream.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from partisan_actors.errors import ConfigError
from partisan_actors.protocols.machine import Peer
from partisan_actors.simulation.clock import nanoseconds
from partisan_actors.simulation.lives import name_of
from partisan_actors.simulation.network import Latency, constant_latency, uniform_latency
from partisan_actors.simulation.streams import stream

__all__ = ["LATENCIES", "latency_of", "lognormal_latency", "matrix_latency", "plane_latency"]

LATENCIES: Final = "constant:S, uniform:LOW:HIGH, lognormal:MEDIAN:SIGMA or plane:DIAMETER, in seconds"
_LONGEST_S: Final = 3_600.0


def lognormal_latency(median_s: float, sigma: float, longest_s: float = 10.0) -> Latency:
    """Mostly about `median_s`, now and then many times that: the logarithm is normal with deviation `sigma`."""
    mean, longest_ns = math.log(median_s), nanoseconds(longest_s)
    return lambda sender, receiver, rng: min(nanoseconds(rng.lognormvariate(mean, sigma)), longest_ns)


def plane_latency(seed: int, diameter_s: float, base_s: float = 0.0002) -> Latency:
    """Nodes are points of a square; latency is `base_s` plus their distance, with `diameter_s` from corner to corner.

    The same in both directions and for all lives of a node, and without chance but for where the points are.
    """
    points: dict[Peer, tuple[float, float]] = {}

    def point(node: Peer) -> tuple[float, float]:
        found = points.get(node)
        if found is None:
            rng = stream(seed, name_of(node), "place")
            found = points[node] = (rng.random(), rng.random())
        return found

    def latency(sender: Peer, receiver: Peer, rng: random.Random) -> int:
        share = math.dist(point(sender), point(receiver)) / math.sqrt(2)
        return nanoseconds(base_s + diameter_s * share)

    return latency


def matrix_latency(seconds: Sequence[Sequence[float]], place: Callable[[Peer], int]) -> Latency:
    """From a table: `seconds[place(sender)][place(receiver)]`, such as measured between hosts. Raises ConfigError."""
    if not seconds or any(len(row) != len(seconds) for row in seconds):
        raise ConfigError("seconds", f"{len(seconds)} rows", "as many rows as columns, at least one")
    if any(not 0 <= value <= _LONGEST_S for row in seconds for value in row):
        raise ConfigError("seconds", "a value", f"from 0 to {_LONGEST_S:g} seconds")
    table = [[nanoseconds(value) for value in row] for row in seconds]
    return lambda sender, receiver, rng: table[place(sender)][place(receiver)]


_PARAMETERS: Final[Mapping[str, int]] = {"constant": 1, "uniform": 2, "lognormal": 2, "plane": 1}


def latency_of(text: str, seed: int) -> Latency:
    """The latency that `text` describes, as in LATENCIES. Raises ConfigError when it describes none."""
    name, *given = text.split(":")
    try:
        values = [float(value) for value in given]
    except ValueError as error:
        raise ConfigError("latency", text, LATENCIES) from error
    if len(values) != _PARAMETERS.get(name) or any(not 0 <= value <= _LONGEST_S for value in values):
        raise ConfigError("latency", text, LATENCIES)
    match name, values:
        case "constant", [delay_s]:
            return constant_latency(delay_s)
        case "uniform", [low_s, high_s] if low_s <= high_s:
            return uniform_latency(low_s, high_s)
        case "lognormal", [median_s, sigma] if median_s > 0:
            return lognormal_latency(median_s, sigma)
        case "plane", [diameter_s]:
            return plane_latency(seed, diameter_s)
    raise ConfigError("latency", text, LATENCIES)
