"""Classes and functions of `__main__`: in scripts, at the REPL, in notebooks; shipped by value, once to each node."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.integration.programs import Programs

SCRIPT = """
    import dataclasses, enum
    import partisan_actors as pa

    RATE = 3

    def helper(number):
        return number * RATE

    class Color(enum.Enum):
        RED = 1

    @dataclasses.dataclass
    class Order:
        count: int
        color: Color

    class OrderError(Exception):
        def __init__(self, order, why):
            super().__init__(f"{order}: {why}")
            self.order, self.why = order, why

    class Base:
        def total(self):
            return helper(self.order.count)

    @pa.actor
    class Desk(Base):
        def __init__(self, order):
            self.order = order
        def give(self):
            return self.order
        def fail(self):
            raise OrderError(self.order, "sold out")
        def another(self):
            return Desk.remote(self.order)
        async def order_soon(self):
            return self.order

    @pa.task
    def double(order):
        return Order(order.count * 2, order.color)

    def main():
        order = Order(2, Color.RED)
        desk = Desk.remote(order)
        print(pa.get(desk.total.remote()))
        print(pa.get(desk.give.remote()) == order, pa.get(desk.give.remote()).color is Color.RED)
        try:
            pa.get(desk.fail.remote())
        except OrderError as error:
            print("OrderError", error.why, error.order == order, type(error.__cause__) is OrderError)
        print(pa.get(pa.get(desk.another.remote()).order_soon.remote()) == order)
        print(pa.get(double.remote(order)))
        print(pa.get(pa.put(order)) == order)
"""

EXPECTED = [
    "6",
    "True True",
    "OrderError sold out True True",
    "True",
    "Order(count=4, color=<Color.RED: 1>)",
    "True",
]


def test_what_a_script_defines_works_on_every_node(programs: Programs) -> None:
    output = programs.run(
        textwrap.dedent(SCRIPT)
        + textwrap.dedent(
            """
            if __name__ == "__main__":
                with pa.init(workers=2):
                    main()
            """
        )
    )

    assert output.splitlines() == EXPECTED


def test_a_script_needs_no_main_guard(programs: Programs) -> None:
    output = programs.run(textwrap.dedent(SCRIPT) + "\npa.init(workers=1)\nmain()\n")

    assert output.splitlines() == EXPECTED


def test_the_first_use_starts_a_local_cluster_by_itself(programs: Programs) -> None:
    output = programs.run(
        """
        import partisan_actors as pa

        @pa.task
        def one():
            return 1

        print(pa.is_initialized(), pa.get(one.remote()), pa.is_initialized(), len(pa.nodes()) > 1)
        """
    )

    assert output == "False 1 True True"


def test_what_is_typed_at_the_prompt_works(programs: Programs) -> None:
    repl = programs.interpreter("-i", "-q")
    assert repl.process.stdin is not None

    repl.process.stdin.write(
        textwrap.dedent(
            """
            import partisan_actors as pa
            session = pa.init(workers=2)
            class Item:
                def __init__(self, size): self.size = size

            @pa.actor
            class Box:
                def __init__(self): self.items = []
                def add(self, item): self.items.append(item); return len(self.items)
                def sizes(self): return [item.size for item in self.items]

            box = Box.remote()
            print("added", pa.get([box.add.remote(Item(n)) for n in range(3)]))
            print("sizes", pa.get(box.sizes.remote()))
            @pa.actor
            class Box:
                def __init__(self): self.items = ["redefined"]
                def sizes(self): return self.items

            print("again", pa.get(Box.remote().sizes.remote()), pa.get(box.sizes.remote()))
            print("task", pa.get(pa.task(lambda n: n + 1).remote(1)))
            exit()
            """
        )
    )
    repl.process.stdin.close()

    assert repl.wait() == 0
    assert "added [1, 2, 3]" in repl.output
    assert "sizes [0, 1, 2]" in repl.output
    assert "again ['redefined'] [0, 1, 2]" in repl.output
    assert "task 2" in repl.output
    assert "Traceback" not in repl.output
    repl.assert_nothing_left()


def test_a_notebook_initialises_and_uses_it_in_its_running_loop(programs: Programs) -> None:
    """A notebook's cells run inside a running loop, some of them with `await`; `init()` stands there bare."""
    output = programs.run(
        """
        import ast, asyncio, inspect

        CELLS = ['''
        import partisan_actors as pa
        session = pa.init(workers=2)

        @pa.actor
        class Counter:
            def __init__(self): self.value = 0
            def add(self, n): self.value += n; return self.value
            async def read(self): return self.value
        ''', '''
        counter = Counter.remote()
        print(pa.get(counter.add.remote(2)))
        ''', '''
        print(await counter.add.remote(3), await counter.read.remote())
        print(await asyncio.gather(*[counter.read.remote() for _ in range(3)]))
        ''', '''
        named = Counter.options(name="cell").remote()
        print(pa.get(pa.get_actor("cell").add.remote(1)))
        print(pa.wait([counter.read.remote()], timeout=30)[0][0].result())
        pa.kill(named)
        ''', '''
        try:
            pa.init()
        except RuntimeError as error:
            print(error)
        pa.shutdown()
        print(pa.is_initialized())
        with pa.init(workers=1):
            print(await Counter.remote().add.remote(9))
        ''']

        async def notebook():
            import textwrap
            space = globals()
            for cell in CELLS:
                code = compile(textwrap.dedent(cell), "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                outcome = eval(code, space)
                if inspect.isawaitable(outcome):
                    await outcome

        asyncio.run(notebook())
        """
    )

    assert output.splitlines() == [
        "2",
        "5 5",
        "[5, 5, 5]",
        "1",
        "5",
        "this process has a session already: call shutdown() first",
        "False",
        "9",
    ]


def test_asyncio_programs_use_the_session_in_every_way(programs: Programs) -> None:
    output = programs.run(
        """
        import asyncio
        import partisan_actors as pa

        @pa.task
        def one():
            return 1

        async def entered():
            async with pa.init(workers=1) as session:
                return await one.remote(), session.runtime.node.loop is asyncio.get_running_loop()

        async def awaited():
            session = await pa.init(workers=1)
            try:
                return await one.remote(), session.runtime.node.loop is asyncio.get_running_loop()
            finally:
                await session.__aexit__(None, None, None)

        async def inside():
            return await one.remote()

        if __name__ == "__main__":
            print(asyncio.run(entered()), pa.is_initialized())
            print(asyncio.run(awaited()), pa.is_initialized())
            with pa.init(workers=1):
                print(asyncio.run(inside()), asyncio.run(inside()))
        """
    )

    assert output.splitlines() == ["(1, True) False", "(1, True) False", "1 1"]


def test_a_class_is_sent_to_each_node_once(programs: Programs) -> None:
    output = programs.run(
        """
        import partisan_actors as pa
        from partisan_actors.api import session
        from partisan_actors.actors import code

        BALLAST = "x" * 1_000_000

        @pa.actor(placement="spread")
        class Heavy:
            def size(self):
                return len(BALLAST)

        @pa.task
        def size():
            return len(BALLAST)

        if __name__ == "__main__":
            with pa.init(workers=2):
                pa.get([Heavy.remote().size.remote() for _ in range(20)])
                pa.get([size.remote() for _ in range(50)])
                node = session.system().node
                sent = sum(
                    connection.bytes_out for peer in node.router.peers.values() for connection in peer.connections()
                )
                print(round(sent / 1_000_000))
        """
    )

    assert output == "4"


def test_modules_beside_the_script_are_found_by_the_workers(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "stock.py").write_text(
        "class Item:\n    def price(self):\n        return 5\n\ndef half(n):\n    return n / 2\n"
    )

    output = programs.run(
        """
        import partisan_actors as pa
        import stock

        @pa.actor
        class Till:
            def price(self, item):
                return stock.half(item.price())

        if __name__ == "__main__":
            with pa.init(workers=1):
                print(pa.get(Till.remote().price.remote(stock.Item())), pa.get(pa.task(stock.half).remote(4)))
        """
    )

    assert output == "2.5 2.0"
