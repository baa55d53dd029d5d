"""Actors and tasks without a single annotation: no checker may object to any of this."""

# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN204  # the lack of annotations is what is tested
# mypy: disable-error-code="no-untyped-def"

import partisan_actors as pa


@pa.actor
class Counter:
    def __init__(self, start, *rest, scale=1, **more):
        self.total = start

    def add(self, a, b=2):
        self.total += a * b
        return self.total

    async def read(self):
        return self.total

    @pa.method
    def reset(self, to=0):
        self.total = to


@pa.actor(max_restarts=1)
class Bare:
    def go(self):
        return self


@pa.task
def scale(a, b=2, *rest, **more):
    return a * b


@pa.task(num_cpus=1)
async def fetch(url):
    return url


def use():
    c = Counter.remote(1, 2, 3, scale=4, other=5)
    Counter.options(name="hits").remote(None)
    ref = c.add.remote(1)
    c.add.remote(ref, b=ref)
    c.add.tell(1, 2)
    pa.put(c.read.remote().result() + 1)
    c.reset.remote()
    pa.typed(c).reset.remote(3)
    Bare.remote().go.options(timeout=1).remote()
    pa.put(pa.get(scale.remote(ref, 3, 4, c=5)) + 1)
    fetch.options(num_cpus=1).remote("u").result().strip()


def use_from_annotated_code(c: pa.ActorHandle[Counter]) -> int:
    numbers: list[int] = pa.get([c.add.remote(1), scale.remote(2)])
    text: str = fetch.remote("u").result()
    return len(text) + sum(numbers)
