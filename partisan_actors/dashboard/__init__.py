"""The dashboard: a page, and an API in JSON, that show a cluster at work and let it be steered.

It stands above `api`, of which it uses the `Observer`: it is a client of the nodes, and no node. `server` is the only
module that knows aiohttp; all others deal with plain values, so that they can be tried without a socket.
"""
