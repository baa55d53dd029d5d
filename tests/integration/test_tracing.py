"""Traces of real clusters: real processes, the SDK's own OTLP/HTTP exporter, and every span checked as it arrives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration.programs import Programs, wait_until
from tests.otlp_grpc_receiver import GrpcOtlpReceiver
from tests.otlp_receiver import OtlpReceiver, attributes_of, check_spans, locate
from tests.traces import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, Forest

ARGUMENT = "an-argument-that-nobody-must-export"

BANK = """
    import asyncio
    import sys
    import time

    import partisan_actors as pa
    from opentelemetry import trace

    users = trace.get_tracer("the users' own")
    SECRET = "ARGUMENT"


    @pa.actor(num_cpus=0)
    class Ledger:
        def __init__(self, start):
            self.total = start

        def append(self, amount):
            self.total += amount
            return self.total

        async def read(self):
            await asyncio.sleep(0)
            return self.total

        def refuse(self, text):
            raise ValueError("it was refused")


    @pa.actor(num_cpus=0)
    class Bank:
        def __init__(self, ledger):
            self.ledger = ledger
            pa.get(ledger.append.remote(1))

        def pay(self, amount):
            with users.start_as_current_span("select accounts"):
                return pa.get(self.ledger.append.remote(amount))

        async def balance(self):
            with users.start_as_current_span("look up"):
                await asyncio.sleep(0.001)
                return await self.ledger.read.remote()

        def note(self, text):
            self.ledger.append.tell(0)

        def fail(self):
            return pa.get(self.ledger.refuse.remote(SECRET))

        def seen(self, *args, **kwargs):
            return [list(args), kwargs]


    @pa.actor(num_cpus=0)
    class Herald:
        def __init__(self, ledger):
            self.ledger = ledger
            self.heard = 0
            pa.subscribe("news", self.hear)

        def hear(self, text):
            self.heard = pa.get(self.ledger.append.remote(0))

        def has_heard(self):
            return self.heard


    @pa.task
    def square(x):
        return x * x


    @pa.task
    async def pay_twice(bank, amount):
        await bank.pay.remote(amount)
        return await bank.pay.remote(amount)


    def main():
        @pa.actor(num_cpus=0)
        class Clerk:
            def greet(self, text):
                return "good day"

        ledger = Ledger.remote(10)
        bank = Bank.remote(ledger)
        assert pa.get(bank.pay.remote(3)) == 14
        assert pa.get(bank.balance.remote()) == 14
        bank.note.tell(SECRET)
        assert pa.get([square.remote(7), pay_twice.remote(bank, 1)]) == [49, 16]
        clerk = Clerk.remote()
        assert pa.get(clerk.greet.remote(SECRET)) == "good day"
        try:
            pa.get(bank.fail.remote())
        except ValueError as error:
            assert isinstance(error, pa.TaskFailed), type(error)
            assert "Bank.fail on node" in str(error) and "Ledger.refuse on node" in str(error), str(error)
            assert "in fail" in str(error) and "in refuse" in str(error), str(error)
        else:
            raise AssertionError("nothing was raised")
        with users.start_as_current_span("users' root"):
            pa.get(bank.pay.remote(1))
        assert pa.get(bank.seen.remote(1, "two", three=[4])) == [[1, "two"], {"three": [4]}]
        herald = Herald.remote(ledger)
        pa.get(herald.has_heard.remote())
        pa.broadcast("news", SECRET)
        while not pa.get(herald.has_heard.remote()):
            time.sleep(0.01)
        pa.kill(clerk)


    if __name__ == "__main__":
        with pa.init(workers=2, tracing="hops"):
            main()
""".replace("ARGUMENT", ARGUMENT)


@dataclass(frozen=True)
class Run:
    """What one program exported."""

    receiver: OtlpReceiver
    forest: Forest


@pytest.fixture(scope="module", autouse=True)
def _no_otel_variables() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            patch.delenv(name)
        yield


def run(programs: Programs, receiver: OtlpReceiver, source: str, sampler: str = "parentbased_always_on") -> Run:
    """Run a program with its spans sent to `receiver`. They must keep every rule."""
    programs.run(source, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, OTEL_TRACES_SAMPLER=sampler)
    forest = Forest(receiver.requests)
    problems = check_spans(receiver.requests, forbidden_texts=[ARGUMENT])
    assert not problems, "\n".join([*problems, forest.text()])
    return Run(receiver, forest)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The spans of the program above, which keep every rule of the protocol and of the table of spans."""
    with OtlpReceiver() as receiver, Programs(tmp_path_factory.mktemp("bank")) as programs:
        yield run(programs, receiver, BANK)


def test_a_nested_ask_from_a_blocking_method_is_one_tree_through_three_processes(bank: Run) -> None:
    paid = bank.forest.roots
    asked = next(root for root in paid if (root.name, root.kind) == ("Bank/pay", CLIENT))

    served = asked.child("Bank/pay", SERVER)
    nested = served.child("select accounts").child("Ledger/append", CLIENT)
    appended = nested.child("Ledger/append", SERVER)

    assert served.node != asked.node
    assert appended.attributes["partisan.peer.node"].startswith(f"{served.node}~")
    assert {span.node for span in asked.below()} == {asked.node, served.node, appended.node}


def test_a_users_span_holds_across_the_awaits_of_an_async_method(bank: Run) -> None:
    served = bank.forest.root("Bank/balance", CLIENT).child("Bank/balance", SERVER)
    looked_up = served.child("look up")

    read = looked_up.child("Ledger/read", CLIENT)

    assert read.child("Ledger/read", SERVER).children == []
    assert looked_up.duration_ns > read.duration_ns, "it began before, and ended after"
    assert looked_up.node == served.node


def test_a_tell_is_a_producer_and_a_consumer_and_so_are_the_tells_inside(bank: Run) -> None:
    sent = bank.forest.root("send Bank", PRODUCER)
    processed = sent.child("process Bank", CONSUMER)
    inner = processed.child("send Ledger", PRODUCER).child("process Ledger", CONSUMER)

    assert sent.attributes["partisan.actor.method"] == "note"
    assert processed.attributes["messaging.message.id"] == sent.attributes["messaging.message.id"]
    assert inner.node != sent.node


def test_a_broadcast_is_a_producer_and_a_consumer_on_each_node_with_subscribers_and_what_they_do_is_inside(
    bank: Run,
) -> None:
    (published,) = [root for root in bank.forest.roots if root.name == "publish news"]
    processed = published.child("process news", CONSUMER)
    handled = processed.child("process Herald", CONSUMER)

    assert published.kind == PRODUCER and published.children == [processed]
    assert published.node != processed.node == handled.node
    assert processed.attributes["messaging.destination.name"] == "news"
    assert processed.attributes["partisan.broadcast.round"] >= 1
    assert processed.attributes["partisan.peer.node"]
    handled.child("Ledger/append", CLIENT)


def test_tasks_are_asks_and_what_they_call_is_inside(bank: Run) -> None:
    square = bank.forest.root("task/square", CLIENT).child("task/square", SERVER)
    twice = bank.forest.root("task/pay_twice", CLIENT).child("task/pay_twice", SERVER)

    assert square.attributes["code.function.name"] == "__main__.square"
    assert [child.name for child in twice.children if child.kind == CLIENT] == ["Bank/pay", "Bank/pay"]


def test_a_users_span_around_a_call_is_its_parent(bank: Run) -> None:
    root = bank.forest.root("users' root")

    assert root.child("Bank/pay", CLIENT).child("Bank/pay", SERVER).child("select accounts").children


def test_a_failure_is_an_error_on_both_sides_of_every_call_it_went_through(bank: Run) -> None:
    failed = bank.forest.root("Bank/fail", CLIENT)
    spans = [span for span in failed.below() if span.kind in (CLIENT, SERVER)]

    assert [(span.name, span.kind) for span in spans] == [
        ("Bank/fail", CLIENT),
        ("Bank/fail", SERVER),
        ("Ledger/refuse", CLIENT),
        ("Ledger/refuse", SERVER),
    ]
    for span in spans:
        assert span.attributes["error.type"] == "ValueError"
        assert span.attributes["rpc.response.status_code"] == "APPLICATION_ERROR"
        exceptions = [attributes_of(event) for event in span.span.events if event.name == "exception"]
        assert [exception["exception.type"] for exception in exceptions] == ["ValueError"]
        assert "in refuse" in exceptions[0]["exception.stacktrace"]


def test_making_an_actor_is_a_client_and_a_server_and_its_constructors_calls_are_inside(bank: Run) -> None:
    activated = bank.forest.root("create Bank", CLIENT).child("activate Bank", SERVER)

    assert activated.child("Ledger/append", CLIENT).child("Ledger/append", SERVER)
    assert bank.forest.root("create Ledger", CLIENT).child("activate Ledger", SERVER).children == []


def test_the_end_of_an_actor_is_a_trace_of_its_own_with_a_link_to_its_making(bank: Run) -> None:
    made = bank.forest.root("create Clerk", CLIENT)
    ended = bank.forest.root("stop Clerk", INTERNAL)

    assert [(link.trace_id, link.span_id) for link in ended.span.links] == [(made.span.trace_id, made.span.span_id)]
    assert "killed" in ended.attributes["partisan.stop.reason"]


def test_a_class_defined_in_a_function_has_one_name_at_both_ends(bank: Run) -> None:
    asked = bank.forest.root("Clerk/greet", CLIENT)

    assert asked.child("Clerk/greet", SERVER).attributes["code.function.name"] == "__main__.Clerk.greet"


def test_every_span_of_a_message_says_where_it_went_and_how(bank: Run) -> None:
    names = {span.node for span in bank.forest}
    asked = [span for span in bank.forest if span.kind == CLIENT and "/" in span.name]

    assert len(names) == 3 and asked
    for span in asked:
        assert span.attributes["partisan.actor.id"]
        if "partisan.channel" not in span.attributes:
            continue  # both actors on one node
        assert (span.attributes["partisan.channel"], span.attributes["partisan.lane"]) == ("calls", 0)
        assert sys.platform != "linux" or 0 < span.attributes["partisan.peer.rtt"] < 60
        assert span.attributes["server.address"] == span.attributes["network.peer.address"] == "127.0.0.1"
        (served,) = (child for child in span.children if child.kind == SERVER)
        assert served.attributes["partisan.hop.count"] == 0
        assert span.attributes["partisan.peer.node"].startswith(f"{served.node}~")
        assert served.attributes["partisan.peer.node"].startswith(f"{span.node}~")


def test_every_process_is_a_resource_of_its_own_and_ours_is_the_service(bank: Run) -> None:
    resources = {located.resource.SerializeToString(): located.resource for located in locate(bank.receiver.requests)}
    described = [attributes_of(resource) for resource in resources.values()]

    assert {each["service.name"] for each in described} == {"partisan-actors"}
    assert len({each["process.pid"] for each in described}) == 3
    assert len({each["service.instance.id"] for each in described}) == 3


def test_the_variables_alone_switch_tracing_on_and_a_program_that_fails_exports_what_it_has(
    programs: Programs,
) -> None:
    source = """
        import partisan_actors as pa

        @pa.task
        def ask(x):
            return x

        if __name__ == "__main__":
            pa.init(workers=1)
            pa.get(ask.remote(1))
            raise LookupError("this program fails")
    """
    with OtlpReceiver() as receiver:
        program = programs.start(source, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
        status = program.wait()
        program.assert_nothing_left()
        forest = Forest(receiver.requests)

    assert status == 1 and "this program fails" in program.output
    assert "was destroyed" not in program.output and "never retrieved" not in program.output
    assert program.output.count("Traceback") == 1, program.output
    assert forest.root("task/ask", CLIENT).child("task/ask", SERVER), forest.text()
    assert check_spans(receiver.requests) == []


def test_a_restart_is_a_trace_of_its_own_with_a_link_to_the_making_and_the_next_life_inside(programs: Programs) -> None:
    source = """
        import os
        import signal
        import sys

        import partisan_actors as pa

        @pa.actor(max_restarts=1, num_cpus=0)
        class Steady:
            def pid(self):
                return os.getpid()

        if __name__ == "__main__":
            with pa.init(workers=2, tracing=True):
                steady = Steady.remote()
                first = pa.get(steady.pid.remote())
                print("made", flush=True)
                sys.stdin.readline()
                os.kill(first, signal.SIGKILL)
                while True:
                    try:
                        assert pa.get(steady.pid.remote(), timeout=30) != first
                        break
                    except (pa.ActorUnavailable, pa.NodeDown):  # it was on its way when the node went down
                        continue
    """
    with OtlpReceiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        program = programs.start(source, stdin=subprocess.PIPE, **variables)
        program.wait_for("made")
        wait_until(lambda: len(receiver.spans()) >= 4, "all that the first life did to be exported")
        assert program.process.stdin is not None
        program.process.stdin.write("\n")
        program.process.stdin.flush()
        assert program.wait() == 0, program.output
        forest = Forest(receiver.requests)
        assert check_spans(receiver.requests) == [], forest.text()

    made = forest.root("create Steady", CLIENT)
    restarted = forest.root("restart Steady", INTERNAL)
    *failed, last = (link.span_id for link in restarted.span.links)
    calls = {each.span.span_id for each in forest if each.name == "Steady/pid" and "error.type" in each.attributes}
    assert last == made.span.span_id and set(failed) <= calls  # the call is there if it was on its way in that moment
    assert restarted.attributes["partisan.restart.count"] == restarted.attributes["partisan.restart.limit"] == 1
    assert restarted.attributes["partisan.supervisor.strategy"] == "one_for_one"
    assert "went down" in restarted.attributes["partisan.restart.reason"]
    activations = [made.child("activate Steady", SERVER), restarted.child("activate Steady", SERVER)]
    assert len({activation.node for activation in activations}) == 2


def test_a_trace_that_is_not_sampled_is_recorded_nowhere(programs: Programs) -> None:
    source = """
        import partisan_actors as pa

        @pa.task
        def ask(x):
            return pa.get(other.remote(x))

        @pa.task
        def other(x):
            return x

        if __name__ == "__main__":
            with pa.init(workers=2, tracing=True):
                assert pa.get(ask.remote(1)) == 1
    """
    with OtlpReceiver() as receiver:
        traced = run(programs, receiver, source, sampler="always_off")

    assert list(traced.forest) == []


def test_without_tracing_no_node_loads_opentelemetry(programs: Programs) -> None:
    source = """
        import sys

        import partisan_actors as pa

        @pa.actor
        class Looker:
            def loaded(self):
                return sorted(name for name in sys.modules if name.split(".")[0] == "opentelemetry")

        if __name__ == "__main__":
            with pa.init(workers=1):
                print("loaded", pa.get(Looker.remote().loaded.remote()) + Looker.cls().loaded())
    """

    assert "loaded []" in programs.run(source)


SMALL = """
    import partisan_actors as pa

    @pa.actor(num_cpus=0)
    class Counter:
        async def add(self, number):
            return number + 1

    if __name__ == "__main__":
        with pa.init(workers=1, tracing=True):
            counter = Counter.remote()
            assert [pa.get(counter.add.remote(number)) for number in range(200)] == list(range(1, 201))
            print("answered", flush=True)
"""


def test_a_collector_may_be_spoken_to_by_grpc_and_a_program_be_part_of_the_trace_of_whoever_starts_it(
    programs: Programs,
) -> None:
    with GrpcOtlpReceiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        programs.run(SMALL, TRACEPARENT=f"00-{7:032x}-{8:016x}-01", **variables)
        problems = check_spans(receiver.requests, external_parents=[(8).to_bytes(8, "big")])
        spans = receiver.spans()

    assert not problems, "\n".join(problems)
    asked = [span for span in spans if (span.name, span.kind) == ("Counter/add", CLIENT)]
    served = {span.parent_span_id for span in spans if (span.name, span.kind) == ("Counter/add", SERVER)}
    assert len(asked) == 200
    assert {span.trace_id for span in asked} == {(7).to_bytes(16, "big")}
    assert {span.span_id for span in asked} == served


@pytest.mark.slow  # it ends when its patience with the collector does
def test_calls_are_answered_while_a_collector_does_not_answer(programs: Programs) -> None:
    release = threading.Event()
    with GrpcOtlpReceiver(lambda context: (release.wait(100), None)[1]) as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        program = programs.start(SMALL, OTEL_BSP_SCHEDULE_DELAY="10", **variables)
        program.wait_for("answered")
        status = program.wait()
        release.set()

    assert status == 0, program.output
    assert "Traceback" not in program.output


@pytest.mark.slow  # exporters try for a second or two before they give up
@pytest.mark.parametrize("trouble", ["it is down", "it refuses"])
def test_calls_are_answered_while_a_collector_is_down_or_refuses_and_the_log_says_so_in_a_few_lines(
    trouble: str, programs: Programs
) -> None:
    more = "[pa.get(counter.add.remote(number)) for number in range(1500)]"
    program = SMALL.replace('print("answered"', f'{more}; print("answered"')
    with socket.socket() as taken, OtlpReceiver(status=503) as refusing:
        taken.bind(("127.0.0.1", 0))  # and never listening: every connection is refused
        down = f"http://127.0.0.1:{taken.getsockname()[1]}"
        endpoint = down if trouble == "it is down" else refusing.endpoint
        running = programs.start(
            program, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="1", OTEL_BSP_SCHEDULE_DELAY="100"
        )
        running.wait_for("answered")
        status = running.wait()

    assert status == 0, running.output
    assert "Traceback" not in running.output
    # Of two processes, each line once; the exporter has several, by when it is told to give up.
    assert 1 <= running.output.count("Failed to export") <= 10, running.output
