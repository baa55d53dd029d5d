"""`Observer`: a short-lived client that asks nodes questions and belongs to no cluster.

It proves the cookie as a node does, but neither listens nor joins: no node lists it as a member or dials it, and
answers come back over the connection it made. Commands are observers; so is any program that only wants to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.inspection import INSPECT
from partisan_actors.errors import CallTimeout, NodeError, NotYetConnected, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig, random_name
from partisan_actors.node.node import Node, Transport
from partisan_actors.node.tls import TlsFiles
from partisan_actors.values import dataclass

__all__ = ["Answer", "Observer"]

ANSWER_TIMEOUT_S: Final = 5.0
# How long each question for the members may take: soon again for one that is lost, and long for a node that is slow.
MEMBERS_TIMEOUTS_S: Final = (0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5, ANSWER_TIMEOUT_S)
ASKED_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """What one node said: `value`, or, when it did not answer, `why`. `row` is what its cluster knows of it.

    `is_silent` tells that nothing came from it, not even a refusal.
    """

    row: dict[str, Any]
    value: Any = None
    why: str | None = None
    is_silent: bool = False

    @property
    def name(self) -> str:
        """The name of the node."""
        return str(self.row["name"])


class Observer:
    """Use it as ``async with Observer(cookie) as observer``, then `connect`, then ask.

    With `cluster` it refuses nodes of any other cluster; otherwise it keeps to the cluster of its first contact.
    """

    def __init__(
        self, cookie: bytes, cluster: str = "", *, tls: TlsFiles | None = None, transport: Transport | None = None
    ) -> None:
        name = random_name("observer")
        self._config = NodeConfig(name=name, cluster=cluster, cookie=cookie, tls=tls, hosts_actors=False, observer=True)
        self._transport = transport
        self._node: Node | None = None
        self._system: ActorSystem | None = None
        self._contact: NodeId | None = None

    async def __aenter__(self) -> Observer:
        self._node = Node(self._config, asyncio.get_running_loop(), transport=self._transport)
        # It takes part in no protocol: whatever the stack is told from here on, it does nothing.
        self._node.driver.close()
        self._system = ActorSystem(self._node)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._system is not None
        await self._system.close()
        await self.node.close(graceful=False)

    @property
    def node(self) -> Node:
        """The node that is none: it has an id and connections, and nothing else."""
        assert self._node is not None, "enter the observer first"
        return self._node

    @property
    def cluster(self) -> str:
        """The name of the cluster that is looked at; empty before `connect`, unless it was given."""
        return self.node.cluster

    @property
    def contact(self) -> NodeId:
        """The node that answers questions about the whole cluster."""
        assert self._contact is not None, "connect first"
        return self._contact

    async def connect(self, addresses: Sequence[str]) -> NodeId:
        """Find the first of these addresses at which a node answers.

        Raises ConfigError for what is no address, NotYetConnected when none answers, AuthenticationError when one is
        not ours: that is not passed over, for it is a mistake somebody wants to hear of.
        """
        failure: NotYetConnected | None = None
        for address in addresses:
            try:
                self._contact = (await self.node.connect(address)).node
            except NotYetConnected as error:
                failure = failure or error
                continue
            return self._contact
        raise failure or NotYetConnected("a cluster", "no address was given")

    async def ask(
        self, node: NodeId, service: str, method: str, *args: Any, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Any:
        """Ask a service of a node that this observer is connected to. Raises what it raises, NodeError, CallTimeout."""
        assert self._system is not None
        return await self._system.request(node, service, method, *args, timeout_s=timeout_s)

    async def members(self) -> list[dict[str, Any]]:
        """Every node that the contact knows of, up or not, by name.

        It is asked again when no answer comes, as where messages are lost: without this, nothing can be told at all.
        Raises CallTimeout when it is silent nevertheless, NodeError.
        """
        for patience_s in MEMBERS_TIMEOUTS_S:
            try:
                rows: list[dict[str, Any]] = await self.ask(self.contact, INSPECT, "nodes", timeout_s=patience_s)
            except CallTimeout as error:
                silent = error
                continue
            return sorted(rows, key=lambda row: row["name"])
        raise silent

    async def ask_all(self, rows: Sequence[dict[str, Any]], service: str, method: str, *args: Any) -> list[Answer]:
        """Ask each of these members itself, dialling it. One that cannot be reached is an Answer too."""
        turns = asyncio.Semaphore(ASKED_AT_ONCE)

        async def ask_one(row: dict[str, Any]) -> Answer:
            async with turns:
                return await self.ask_row(row, service, method, *args)

        return await asyncio.gather(*map(ask_one, rows))

    async def ask_row(
        self, row: dict[str, Any], service: str, method: str, *args: Any, timeout_s: float | None = None
    ) -> Answer:
        """Ask one member itself, dialling it; within `timeout_s`, if given, both. What goes wrong is an Answer, too."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._reach(row)
                wait_s = ANSWER_TIMEOUT_S if timeout_s is None else timeout_s + 1.0
                value = await self.ask(NodeId.parse(row["id"]), service, method, *args, timeout_s=wait_s)
        except TimeoutError as error:  # CallTimeout is one
            why = str(error) or f"nothing came within {timeout_s:g} s"
            return Answer(row, why=why, is_silent=True)
        except NodeError as error:
            return Answer(row, why=str(error) or type(error).__name__, is_silent=True)
        except Exception as error:  # noqa: BLE001 - whatever a service of that node raised is its answer
            return Answer(row, why=str(error) or type(error).__name__)
        return Answer(row, value)

    async def _reach(self, row: dict[str, Any]) -> None:
        node = NodeId.parse(row["id"])
        if self.node.router.peer(node).is_connected:
            return
        failure: PartisanError = NotYetConnected(row["name"], "it has no address")
        for address in row["addresses"]:
            try:
                await self.node.connect(address, node)
            except PartisanError as error:
                failure = error
                continue
            return
        raise failure
