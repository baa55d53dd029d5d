"""`ray.cluster_utils.Cluster`: real nodes that tests add and remove, the first one as well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import partisan_actors.compat.ray as ray
from partisan_actors.compat.ray.cluster_utils import Cluster
from partisan_actors.compat.ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1}, connect=True)
    yield made
    made.shutdown()


@ray.remote
def where() -> str:
    return str(ray.get_runtime_context().get_node_id())


def test_nodes_have_what_they_were_given_and_work_goes_there(cluster: Cluster) -> None:
    node = cluster.add_node(num_cpus=2, resources={"widget": 1}, labels={"zone": "b"}, node_name="with-widgets")

    assert ray.cluster_resources()["CPU"] == 3
    row = next(row for row in ray.nodes() if row["NodeID"] == node.node_id)
    assert (row["NodeName"], row["Resources"]["widget"], row["Labels"]["zone"]) == ("with-widgets", 1, "b")
    assert ray.get(where.options(resources={"widget": 1}).remote(), timeout=60) == node.node_id
    assert ray.get(where.options(label_selector={"zone": "b"}).remote(), timeout=60) == node.node_id


def test_the_cluster_goes_on_without_its_first_node(cluster: Cluster) -> None:
    first, second = cluster.head_node, cluster.add_node()
    assert first is not None

    @ray.remote(max_restarts=-1, max_task_retries=-1)
    class Counter:
        def node(self) -> str:
            return str(ray.get_runtime_context().get_node_id())

    on_first = NodeAffinitySchedulingStrategy(first.node_id, soft=True)
    counter = Counter.options(scheduling_strategy=on_first).remote()
    assert ray.get(counter.node.remote(), timeout=60) == first.node_id

    cluster.remove_node(first, allow_graceful=False)
    cluster.wait_for_nodes(timeout=60)

    assert ray.get(counter.node.remote(), timeout=60) == second.node_id
    third = cluster.add_node()
    assert cluster.list_all_nodes() == [third, second]
    assert ray.get(
        where.options(scheduling_strategy=NodeAffinitySchedulingStrategy(third.node_id, soft=False)).remote()
    )


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(RuntimeError, match="uninitialized"):
        Cluster(connect=True)
    empty = Cluster()
    with pytest.raises(RuntimeError, match="no node yet"):
        empty.connect()
    with pytest.raises(NotImplementedError, match="nonsense"):
        empty.add_node(nonsense=1)
    assert empty.address is None
    empty.shutdown()
