"""Topics: a value is broadcast once, and everybody who has subscribed gets a copy, wherever they are."""

from __future__ import annotations

import threading

import partisan_actors as pa


@pa.actor
class Cache:
    """Prices by name. Each cache hears of every change through its mailbox, as it hears of calls."""

    def __init__(self) -> None:
        self.prices: dict[str, int] = {}
        self.changes = 0
        pa.subscribe("prices", self.changed)

    def changed(self, change: tuple[str, int]) -> None:
        name, price = change
        self.prices[name] = price
        self.changes += 1

    def price(self, name: str) -> int | None:
        return self.prices.get(name)

    def has_heard(self, changes: int) -> bool:
        return self.changes >= changes


@pa.actor
class Shop:
    """Whoever knows something broadcasts it: it need not know who listens."""

    def set_price(self, name: str, price: int) -> None:
        pa.broadcast("prices", (name, price))


def main() -> None:
    with pa.init(workers=3):
        caches = [Cache.options(placement="spread").remote() for _ in range(6)]
        pa.get([cache.has_heard.remote(0) for cache in caches])  # their constructors have run: they have subscribed

        # A plain function is called on a thread of its own.
        heard: list[str] = []
        is_complete = threading.Event()

        def note(change: tuple[str, int]) -> None:
            heard.append(change[0])
            if len(heard) == 3:
                is_complete.set()

        with pa.subscribe("prices", note):
            shop = Shop.remote()
            for name, price in [("apple", 3), ("pear", 4), ("apple", 5)]:
                pa.get(shop.set_price.remote(name, price))
            is_complete.wait(timeout=10)
        print("this program heard:", " ".join(sorted(heard)))

        # Nobody tells when a broadcast has arrived everywhere. Who needs to know asks.
        while not all(pa.get([cache.has_heard.remote(3) for cache in caches])):
            pass
        print("apples, in every cache:", pa.get([cache.price.remote("apple") for cache in caches]))

        # What is too large for a broadcast is put, and the broadcast carries the ref.
        try:
            pa.broadcast("prices", ("everything", bytes(2_000_000)))
        except pa.ConfigError as error:
            print("refused:", error)


if __name__ == "__main__":
    main()
