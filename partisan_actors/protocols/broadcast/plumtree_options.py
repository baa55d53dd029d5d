"""What can be set in Plumtree, with the paper's values as defaults where it gives any."""

from __future__ import annotations

from typing import Final

from partisan_actors.errors import ConfigError
from partisan_actors.protocols.broadcast.trees import SHARED, TREES
from partisan_actors.values import dataclass

__all__ = ["EAGER", "PlumtreeOptions"]

EAGER: Final = "eager"
LAZY: Final = "lazy"


@dataclass(frozen=True, slots=True)
class PlumtreeOptions:
    """The bounds and times of `Plumtree`. Raises ConfigError when a value makes no sense.

    `graft_timeout_s` (timeout1 of the paper) is how long an announced message may take to come by itself; 0 asks at
    once. `graft_retry_s` (timeout2) is how long an asked announcer has before the next one is asked.

    Where nodes are busy, a message may take longer than that, and whoever asks for it gets it twice. So a node waits as
    long and a half as such a message took at worst of late (see `lateness`), `graft_timeout_max_s` at most.

    `new_links` is what a new neighbour is at first: "eager", as in the paper, which costs a payload too many for each
    message that is under way, in both directions; or "lazy", but eager for a node without an eager link, which says so
    by a graft for no message. Where a lazy link takes the place of a broken one, the next message comes by a graft.

    `repeat_s` is for links that lose messages without going down, as none over TCP does: every so often a message is
    announced again to each neighbour, lazy or eager, that has not said it holds it, while it is kept here. With it a
    message reaches everybody over any links that let something through. The same on all nodes.

    `announcers_max` is for overlays in which everybody is a neighbour of everybody: see `announcers`. Not together with
    `repeat_s`, which is for links that lose what nodes say of that, too.

    With `lately_s` new neighbours tell each other what came to them within that time, before they were neighbours. So
    a node that has lost one neighbour and not yet found the next one misses nothing for that. The paper does not.

    `heartbeat_period_s` makes a node broadcast something empty now and then (give or take a quarter), so that its tree
    is grown and mended while nobody broadcasts. Off by default: the records that nodes keep in the replicated map are
    broadcast as often as they change, which keeps a shared tree warm.
    """

    trees: str = SHARED  # or "per_root": see `trees`
    roots_max: int = 64  # roots with a tree of their own, when trees are per root
    root_idle_s: float = 60.0  # a root that was silent for so long gives its tree up when another needs one
    new_links: str = EAGER
    lazy_tick_s: float = 0.1  # how long announcements wait for others to share their message; longer among late nodes
    announcements_max: int = 512  # in one IHave; a fuller batch leaves before the tick, and 1 never waits
    announcers_max: int | None = None  # neighbours that announce to a node; None: all lazy ones
    graft_timeout_s: float = 0.5
    graft_timeout_max_s: float = 5.0
    graft_retry_s: float = 0.25
    optimise_threshold: int | None = 7  # hops to be saved before a link is swapped; None never swaps
    repeat_s: float | None = None
    heartbeat_period_s: float | None = None
    lately_s: float = 0.0  # a new neighbour is told of what came within so long
    store_max: int = 1024  # messages kept for grafts; the oldest goes first, and its grafts stay unanswered
    store_bytes_max: int = 64 * 1024 * 1024  # of payloads that are bytes, kept for grafts; as above
    missing_max: int = 4096  # announced messages waited for; further announcements are ignored and counted
    origins_max: int = 16384  # see SeenIds
    intervals_max: int = 64  # see SeenIds

    def __post_init__(self) -> None:
        for name in ("lazy_tick_s", "graft_timeout_s", "lately_s"):
            if not getattr(self, name) >= 0:
                raise ConfigError(name, getattr(self, name), "seconds, 0 or more")
        for name in ("graft_timeout_max_s", "graft_retry_s", "root_idle_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(name, getattr(self, name), "seconds, more than 0")
        for name in ("repeat_s", "heartbeat_period_s"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise ConfigError(name, getattr(self, name), "None or seconds, more than 0")
        if self.new_links not in (EAGER, LAZY):
            raise ConfigError("new_links", self.new_links, f"{EAGER} or {LAZY}")
        if self.trees not in TREES:
            raise ConfigError("trees", self.trees, " or ".join(TREES))
        if self.optimise_threshold is not None and self.optimise_threshold < 1:
            raise ConfigError("optimise_threshold", self.optimise_threshold, "None or a number of hops, 1 or more")
        if self.announcers_max is not None and self.announcers_max < 2:
            raise ConfigError("announcers_max", self.announcers_max, "None or a number of neighbours, 2 or more")
        if self.announcers_max is not None and self.repeat_s is not None:
            raise ConfigError("announcers_max", self.announcers_max, "None where repeat_s is set")
        for name in (
            "roots_max",
            "announcements_max",
            "store_max",
            "store_bytes_max",
            "missing_max",
            "origins_max",
            "intervals_max",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(name, getattr(self, name), "1 or more")
