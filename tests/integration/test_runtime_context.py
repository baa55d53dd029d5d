"""What code is told of itself: in actors, in tasks, and in neither."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import partisan_actors as pa
from tests.integration.programs import wait_until

pytestmark = pytest.mark.usefixtures("cluster")


@pa.actor(num_cpus=0.25, resources={})
class Known:
    def __init__(self) -> None:
        self.made_by = pa.get_runtime_context()
        self.runs = 0

    def blocking(self) -> pa.RuntimeContext:
        return pa.get_runtime_context()

    async def soon(self) -> pa.RuntimeContext:
        return pa.get_runtime_context()

    def made(self) -> pa.RuntimeContext:
        return self.made_by

    def me(self) -> pa.ActorHandle[Known]:
        return pa.current_actor()

    @pa.method(max_task_retries=4, retry_exceptions=True)
    def third_time(self) -> int:
        attempt = pa.get_runtime_context().attempt
        if attempt < 3:
            raise ValueError(attempt)
        return attempt

    def wait_for_cancel(self, folder: str) -> None:
        context = pa.get_runtime_context()
        while not context.is_cancelled():
            Path(folder, "asks").touch()
            try:
                time.sleep(0.002)
            except KeyboardInterrupt:
                continue
        Path(folder, "knows").touch()


@pa.task(num_cpus=0.5, max_retries=3, retry_exceptions=True)
def task_context(fails: int) -> pa.RuntimeContext:
    context = pa.get_runtime_context()
    if context.attempt <= fails:
        raise ValueError(context.attempt)
    return context


@pa.task
async def task_context_soon() -> pa.RuntimeContext:
    return pa.get_runtime_context()


def test_an_actor_is_told_who_and_where_it_is(cluster: pa.Session) -> None:
    known = Known.options(name="known one").remote()

    contexts = pa.get([known.blocking.remote(), known.soon.remote(), known.made.remote()])

    for context in contexts:
        assert (context.actor_name, context.class_name, context.cluster) == ("known one", "Known", cluster.cluster)
        assert context.node_name in {row["name"] for row in pa.nodes()}
        assert context.node_id.name == context.node_name
        assert (context.task_id, context.task_name, context.attempt) == (None, None, 1)
        assert context.resources == {"num_cpus": 0.25}
        assert not context.is_cancelled()
    assert len({context.actor_id for context in contexts}) == 1
    assert str(contexts[0].actor_id) in str(pa.get(known.me.remote()))
    pa.kill(known)


def test_a_task_is_told_what_it_is() -> None:
    context, soon = pa.get([task_context.remote(0), task_context_soon.remote()])

    assert (context.task_name, soon.task_name) == ("task_context", "task_context_soon")
    assert context.task_id != soon.task_id and context.actor_id is None and context.actor_name is None
    assert (context.resources, soon.resources) == ({"num_cpus": 0.5}, {"num_cpus": 1})


def test_what_is_tried_again_knows_how_often() -> None:
    assert pa.get(task_context.remote(2)).attempt == 3
    assert pa.get(Known.remote().third_time.remote()) == 3


def test_a_program_is_neither(cluster: pa.Session) -> None:
    context = pa.get_runtime_context()

    assert (context.actor_id, context.task_id, context.node_name) == (None, None, cluster.node_name)
    assert context.resources == {} and not context.is_cancelled()


def test_code_that_goes_on_can_ask_whether_it_was_cancelled(tmp_path: Path) -> None:
    known = Known.remote()
    ref = known.wait_for_cancel.remote(str(tmp_path))
    wait_until((tmp_path / "asks").exists, "the method to run")

    pa.cancel(ref)

    wait_until((tmp_path / "knows").exists, "the method to be told")
    assert pa.get(known.blocking.remote()).is_cancelled() is False
