"""`python -m partisan_actors.cli.demo` is `partisan demo`."""

import sys

from partisan_actors.cli.main import run

if __name__ == "__main__":
    sys.exit(run(["demo", *sys.argv[1:]]))
