"""Programs that everybody begins with."""

from __future__ import annotations

import random
from collections import Counter as Words
from typing import Any

from tests.ray_programs.face import Sights, ray


@ray.remote
class Progress:
    def __init__(self) -> None:
        self.done = 0

    def add(self, by: int) -> int:
        self.done += by
        return self.done


def pi() -> Sights:
    """Sampling tasks report their progress to an actor."""

    @ray.remote
    def sample(samples: int, seed: int, progress: Any) -> int:
        rng = random.Random(seed)
        inside = sum(rng.random() ** 2 + rng.random() ** 2 <= 1 for _ in range(samples))
        ray.get(progress.add.remote(samples))
        return inside

    progress = Progress.remote()
    yield "inside", sum(ray.get([sample.remote(1000, seed, progress) for seed in range(4)]))
    yield "progress", ray.get(progress.add.remote(0))


def parameter_server() -> Sights:
    """Workers send gradients to a server, which keeps the weights."""

    @ray.remote
    class Server:
        def __init__(self, size: int) -> None:
            self.weights = [0.0] * size

        def apply(self, *gradients: list[float]) -> list[float]:
            for gradient in gradients:
                self.weights = [weight + part for weight, part in zip(self.weights, gradient, strict=True)]
            return self.weights

    @ray.remote
    class Worker:
        def gradient(self, weights: list[float]) -> list[float]:
            return [1.0 - weight / 10 for weight in weights]

    server, workers = Server.remote(3), [Worker.remote() for _ in range(2)]
    weights = server.apply.remote()
    for _ in range(3):
        weights = server.apply.remote(*[worker.gradient.remote(weights) for worker in workers])
    yield "weights", [round(weight, 6) for weight in ray.get(weights)]


def map_reduce() -> Sights:
    """Words are counted by tasks, and counts are added up by others."""
    documents = ["a b a", "b c", "a c c", "d"]

    @ray.remote
    def count(text: str) -> dict[str, int]:
        return dict(Words(text.split()))

    @ray.remote
    def merge(left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
        return dict(Words(left) + Words(right))

    counts = [count.remote(document) for document in documents]
    while len(counts) > 1:
        counts = [*counts[2:], merge.remote(counts[0], counts[1])]
    yield "words", sorted(ray.get(counts[0]).items())


PROGRAMS = (pi, parameter_server, map_reduce)
