"""`python -m partisan_actors.cli.bench` is `partisan bench`."""

from partisan_actors.cli.bench.command import bench

if __name__ == "__main__":
    bench()
