"""`python -m partisan_actors.cli.demo` is `partisan demo`."""

from partisan_actors.cli.demo.command import demo

if __name__ == "__main__":
    demo()
