"""What the paper's authors published of these experiments, to be shown beside ours; with where each figure is from."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["ECHO_OPS", "HEADLINES", "KVS_OPS", "LATENCY_MS", "PUBLISHED_QUEUES", "Published"]

KIB: Final = 1024
MIB: Final = 1024 * 1024


class Published(NamedTuple):
    """One figure each for 16, 32, 64 and 128 actors: distributed Erlang, one connection, 16 with affinity."""

    erlang: tuple[float, ...]
    one: tuple[float, ...]
    affinity: tuple[float, ...]


# (payload bytes, round trip in ms) -> median latency in ms; box plots of the run of January 2019, read off by eye.
LATENCY_MS: Final = {
    (512 * KIB, 1): Published((2.1, 4.1, 8.5, 16.5), (3.1, 7.1, 14.6, 30.7), (1.6, 2.1, 3.6, 7.9)),
    (512 * KIB, 20): Published((47, 72, 131, 248), (50, 110, 222, 454), (10.6, 30.1, 16.0, 17.6)),
    (8 * MIB, 1): Published((64, 121, 237, 472), (86, 173, 348, 704), (14, 25, 55, 122)),
}
# (payload bytes, round trip in ms) -> operations a second: distributed Erlang, Partisan (16 connections, affinity).
ECHO_OPS: Final = {
    (512 * KIB, 1): ((353, 340, 320, 308), (332, 331, 310, 311)),
    (512 * KIB, 20): ((46, 45, 46, 45), (332, 311, 314, 322)),
    (8 * MIB, 1): ((56, 56, 57, 58), (182, 184, 178, 180)),
    (8 * MIB, 20): ((3.0, 3.2, 3.6, 5.0), (187, 180, 179, 175)),
}
KVS_OPS: Final = {
    (512 * KIB, 1): ((117, 117, 121, 108), (117, 114, 114, 104)),
    (512 * KIB, 20): ((105, 100, 87, 62), (115, 117, 111, 112)),
    (8 * MIB, 1): ((87, 87, 79, 63), (102, 101, 99, 94)),
    (8 * MIB, 20): ((4.7, 0.8, 0.0, 0.0), (99, 100, 98, 96)),
}
# Lanes -> median latency in ms of 128 actors, 8 MiB, 1 ms.
PUBLISHED_QUEUES: Final = {16: 122.0, 128: 164.0}
HEADLINES: Final = (
    "Published (USENIX ATC 2019, abstract): latency up to 13.5x lower, throughput up to 38.07x higher than distributed "
    "Erlang, which has one connection between two nodes"
)
