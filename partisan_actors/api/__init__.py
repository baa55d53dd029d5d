"""The face: actor, task, get, put, wait, init. A translation of what users write into what the floors below do.

Floor: above everything but the watchers and the command line. The only floor with state of the process: the session.
"""
