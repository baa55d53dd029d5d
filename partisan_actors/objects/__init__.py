"""Values that live somewhere: refs to results and to what was put, and the store that serves them to other nodes.

Floor: above `actors`, beside `scheduler`. Built on the actor system's requests, as a user would build it.
"""
