"""Messages of actors lost one after the other, on whole nodes in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.simulation.cluster import SimulatedCluster
from partisan_actors.testing import Omissions, explore


@pa.actor
class Account:
    def __init__(self) -> None:
        self.seen: dict[int, int] = {}

    async def change(self, number: int, amount: int) -> int:
        self.seen[number] = amount
        return number

    async def balance(self) -> int:
        return sum(self.seen.values())


async def transfer(first: Any, second: Any, *, is_sure: bool) -> None:
    for account, amount in ((first, -10), (second, 10)):
        if is_sure:
            while True:
                try:
                    await account.change.options(timeout=2.0).remote(1, amount)
                    break
                except pa.CallTimeout:
                    continue
        else:
            account.change.tell(1, amount)


def play(omissions: Omissions, *, is_sure: bool) -> None:
    async def accounts() -> list[Any]:
        made = [Account.options(placement=pa.NodeAffinity(node)).remote() for node in ("n0", "n1")]
        for each in made:
            assert await each.balance.remote() == 0
        return made

    async def balances(made: list[Any]) -> list[int]:
        return [await each.balance.remote() for each in made]

    with SimulatedCluster(seed=1, nodes=2) as cluster:
        made: list[Any] = cluster.run(accounts())
        with cluster.judge(omissions):
            cluster.run(transfer(*made, is_sure=is_sure))
            cluster.run_for(1.0)
        found = cluster.run(balances(made))
    assert sum(found) == 0, f"money has gone: {found}"


def test_a_transfer_that_is_only_told_loses_money_with_either_message() -> None:
    found = explore(lambda omissions: play(omissions, is_sure=False), omissions_max=1)

    assert found.lost is not None and [message.method for message in found.lost] == ["change"]
    assert found.runs == 2, "with the first message that can be lost"
    with pytest.raises(AssertionError, match="money has gone"):
        play(Omissions(found.lost), is_sure=False)


def test_a_transfer_that_is_called_until_it_is_answered_loses_none_whichever_message_is_lost() -> None:
    found = explore(lambda omissions: play(omissions, is_sure=True), omissions_max=1)

    assert found.is_whole and found.lost is None and found.runs == 5, str(found)


def test_what_is_no_rule_is_refused() -> None:
    with (
        SimulatedCluster(seed=1, nodes=1) as cluster,
        pytest.raises(TypeError, match="function of a message"),
        cluster.judge(7),  # type: ignore[arg-type]  # on purpose
    ):
        pass
