"""Actors: cells that run them, refs that reach them, and the replies in between.

Floor: above `node`. A `cell` runs one actor, `stepping` its coroutines without a task, `threads` its blocking methods;
a `ref` knows where an actor lives now; `replies` are what callers wait for; `system` ties them to one node.
"""
