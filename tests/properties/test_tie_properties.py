"""Two nodes, a wire that loses, repeats nothing and breaks: a tie fires once, for a reason that was."""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.actors.reasons import exited, reason_of
from partisan_actors.actors.ties import Again, Tie, Watched, Watcher, Watching, outcome
from partisan_actors.errors import ActorNotFound, ActorStopped, ActorUnavailable, NodeDown
from partisan_actors.ids import ActorId, NodeId

HERE, THERE = NodeId("here", 1), NodeId("there", 1)
WATCHER = ActorId(HERE, 1)
SUBJECTS = [ActorId(THERE, number) for number in range(3)]

STEP = st.one_of(
    st.tuples(st.just("watch"), st.integers(0, 2)),
    st.tuples(st.just("end"), st.integers(0, 2)),
    st.tuples(st.just("give up"), st.integers(0, 20)),
    st.tuples(st.sampled_from(["ask", "answer", "unwatch", "break", "retry"]), st.just(0)),
    st.tuples(st.just("down"), st.just(0)),
)


class World:
    """The watcher's node, the subjects' node, and what is on its way between them."""

    def __init__(self) -> None:
        self.watching: Watching[Tie] = Watching()
        self.watched = Watched()
        self.ties: list[Tie] = []
        self.fired: dict[int, list[str]] = {}
        self.given_up: set[int] = set()
        self.alive = set(SUBJECTS)
        self.tombs: dict[ActorId, str] = {}
        self.asking: deque[tuple[Tie, int]] = deque()
        self.answers: deque[tuple[int, str | Exception | None]] = deque()
        self.unwatching: deque[Tie] = deque()
        self.pending: dict[int, Tie] = {}
        self.waiting: list[Tie] = []  # to ask again
        self.requests = 0
        self.is_down = False

    def watch(self, which: int) -> None:
        tie = Tie(len(self.ties), SUBJECTS[which], WATCHER, host=THERE)
        self.ties.append(tie)
        self.watching.add(tie)
        self.ask_for(tie)

    def ask_for(self, tie: Tie) -> None:
        if self.is_down:
            self.fail(tie, NodeDown("there", "it does not answer"))
            return
        self.requests += 1
        self.pending[self.requests] = tie
        self.asking.append((tie, self.requests))

    def fail(self, tie: Tie, error: Exception) -> None:
        what = outcome(tie, error, THERE, is_lost=False) if not tie.is_over else None
        if isinstance(what, Again):
            self.waiting.append(tie)
        elif what is not None:
            self.fire(tie, what)

    def fire(self, tie: Tie, reason: str) -> None:
        if self.watching.end(tie):
            self.fired.setdefault(tie.number, []).append(reason)

    def end(self, which: int) -> None:
        subject = SUBJECTS[which]
        if subject in self.alive and not self.is_down:
            self.alive.discard(subject)
            self.tombs[subject] = exited(f"r{which}")
            for watcher in self.watched.ended(subject):
                self.answers.append((watcher.request, f"r{which}"))

    def give_up(self, number: int) -> None:
        if number < len(self.ties) and self.watching.end(self.ties[number]):
            self.given_up.add(number)
            self.unwatching.append(self.ties[number])

    def ask(self) -> None:
        if not self.asking or self.is_down:
            return
        tie, request = self.asking.popleft()
        if tie.subject in self.alive:
            if not self.watched.add(tie.subject, tie.number, Watcher(HERE, request, WATCHER, False, "calls")):
                self.answers.append((request, None))
        else:
            tomb = self.tombs.get(tie.subject)
            self.answers.append((request, ActorStopped("it", tomb) if tomb else ActorNotFound("it")))

    def answer(self) -> None:
        if not self.answers:
            return
        request, what = self.answers.popleft()
        tie = self.pending.pop(request, None)
        if tie is None:
            return
        if isinstance(what, Exception):
            self.fail(tie, what)
        elif what is None:
            self.watching.end(tie)
        else:
            self.fire(tie, what)

    def unwatch(self) -> None:
        if self.unwatching and not self.is_down:
            tie = self.unwatching.popleft()
            self.watched.remove(tie.subject, HERE, tie.number)

    def break_wire(self) -> None:
        self.asking.clear()
        self.answers.clear()
        self.unwatching.clear()
        pending, self.pending = self.pending, {}
        for tie in pending.values():
            self.fail(tie, ActorUnavailable("it", "the connection broke"))

    def retry(self) -> None:
        waiting, self.waiting = self.waiting, []
        for tie in waiting:
            if not tie.is_over:
                tie.attempts += 1
                self.ask_for(tie)

    def down(self) -> None:
        self.is_down = True
        self.asking.clear()
        pending, self.pending = self.pending, {}
        for tie in pending.values():
            self.fail(tie, NodeDown("there", "it does not answer"))

    def settle(self) -> None:
        """Everything that ends ends, and what is on its way arrives."""
        for which in range(len(SUBJECTS)):
            self.end(which)
        while self.asking or self.answers or self.unwatching or any(not tie.is_over for tie in self.waiting):
            self.retry()
            self.ask()
            self.answer()
            if self.unwatching and self.is_down:
                self.unwatching.clear()
            self.unwatch()


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_a_tie_fires_exactly_once_unless_it_is_given_up(steps: list[tuple[str, int]]) -> None:
    world = World()
    act = {
        "watch": world.watch,
        "end": world.end,
        "give up": world.give_up,
        "ask": lambda _: world.ask(),
        "answer": lambda _: world.answer(),
        "unwatch": lambda _: world.unwatch(),
        "break": lambda _: world.break_wire(),
        "retry": lambda _: world.retry(),
        "down": lambda _: world.down(),
    }
    for name, argument in steps:
        act[name](argument)
    world.settle()

    for tie in world.ties:
        reasons = world.fired.get(tie.number, [])
        if tie.number in world.given_up:
            assert reasons == []
            continue
        (reason,) = reasons
        possible = {"noproc", "node down: it does not answer"}
        if tie.subject in world.tombs:
            possible.add(reason_of(world.tombs[tie.subject]))
        assert reason in possible
    assert len(world.watching) == 0
    assert world.is_down or len(world.watched) == 0
