"""Two protocols, each right and wrong, over a network that loses what it is told to: to be told apart by exploring."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from partisan_actors.faults.messages import Passing
from partisan_actors.faults.omissions import Omissions

ROUNDS = 4


class Node:
    """Sends with `send(to, kind)`."""

    def __init__(self, name: str, send: Callable[[str, str, str], None]) -> None:
        self.name = name
        self.say = lambda to, kind: send(name, to, kind)

    def start(self) -> None: ...

    def hear(self, source: str, kind: str) -> None: ...

    def time_out(self) -> None: ...


class Network:
    """Messages arrive in the order in which they were sent. When none is left, all time-outs pass, ROUNDS times."""

    def __init__(self, omissions: Omissions, **kinds: Any) -> None:
        self._omissions = omissions
        self._sent: deque[tuple[str, str, str]] = deque()
        self.nodes = {name: kind(name, lambda *message: self._sent.append(message)) for name, kind in kinds.items()}

    def run(self) -> None:
        for node in self.nodes.values():
            node.start()
        for _ in range(ROUNDS):
            self._deliver()
            for node in self.nodes.values():
                node.time_out()
        self._deliver()

    def _deliver(self) -> None:
        while self._sent:
            source, destination, kind = self._sent.popleft()
            ends = (source, destination)
            if self._omissions(Passing("in", "tell", *ends, *ends, "calls", "node", kind, 1, False)) is None:
                self.nodes[destination].hear(source, kind)


# ---- two-phase commit ------------------------------------------------------------------------------------------------


class Coordinator(Node):
    """Asks p and q, decides, and says so until both have heard it."""

    def start(self) -> None:
        self.votes: set[str] = set()
        self.heard: set[str] = set()
        self.decision = ""
        for other in "pq":
            self.say(other, "prepare")

    def hear(self, source: str, kind: str) -> None:
        if kind == "done":
            self.heard.add(source)
        elif not self.decision:
            self.votes.add(source)
            if len(self.votes) == 2:
                self._decide("commit")

    def time_out(self) -> None:
        if not self.decision:
            self._decide("abort")
            return
        for other in sorted(set("pq") - self.heard):
            self.say(other, self.decision)

    def _decide(self, decision: str) -> None:
        self.decision = decision
        for other in "pq":
            self.say(other, decision)


class Participant(Node):
    """Votes for it, and does what is decided."""

    decision = ""
    is_prepared = False

    def hear(self, source: str, kind: str) -> None:
        if kind == "prepare":
            self.is_prepared = True
            self.say(source, "yes")
            return
        self.decision = self.decision or kind
        self.say(source, "done")


class Impatient(Participant):
    """The mistake: who has voted may not decide alone."""

    def time_out(self) -> None:
        if self.is_prepared and not self.decision:
            self.decision = "abort"


def commit(participant: type[Node]) -> Callable[[Omissions], None]:
    def play(omissions: Omissions) -> None:
        network = Network(omissions, c=Coordinator, p=participant, q=participant)
        network.run()
        decisions = {node.decision for node in network.nodes.values() if node.decision}
        assert len(decisions) < 2, f"they disagree: {sorted(decisions)}"

    return play


# ---- primary and backup ----------------------------------------------------------------------------------------------


class Client(Node):
    is_told = False

    def start(self) -> None:
        self.say("p", "write")

    def hear(self, source: str, kind: str) -> None:
        self.is_told = True


class Primary(Node):
    """Has the backup write, and answers when it has."""

    def start(self) -> None:
        self.tries = 0

    def hear(self, source: str, kind: str) -> None:
        if kind == "write":
            self.tries = 1
            self.say("b", "copy")
        elif kind == "copied":
            self.tries = 0
            self.say("c", "written")

    def time_out(self) -> None:
        if self.tries:
            self.tries += 1
            self.say("b", "copy")


class Hasty(Primary):
    """The mistake: it answers when it has tried twice."""

    def time_out(self) -> None:
        if self.tries == 2:
            self.tries = 0
            self.say("c", "written")
        super().time_out()


class Backup(Node):
    has_it = False

    def hear(self, source: str, kind: str) -> None:
        self.has_it = True
        self.say(source, "copied")


def backed_up(primary: type[Node]) -> Callable[[Omissions], None]:
    def play(omissions: Omissions) -> None:
        network = Network(omissions, c=Client, p=primary, b=Backup)
        network.run()
        assert network.nodes["b"].has_it or not network.nodes["c"].is_told, "told, and not backed up"

    return play
