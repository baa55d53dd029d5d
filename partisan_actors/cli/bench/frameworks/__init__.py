"""The same work by other frameworks: Ray, Dask, xoscar, distributed Erlang, beside ours and the floor, in one run.

Floor: `cli`, beside the rest of `partisan bench`. Each framework is an *entrant*: a class that says how its users would
do each piece of `work`. An entrant runs in a process of its own (`stage`), alone; `tournament` has them take turns.
Ray, Dask and xoscar come with the extra `bench`, Erlang with the system; who is not installed is left out, with a word.
"""
