"""`python -m partisan_actors` is the `partisan` command."""

from __future__ import annotations

from partisan_actors.cli.main import main

if __name__ == "__main__":
    main()
