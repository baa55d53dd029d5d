"""Remote function calls: submitted on any node, placed by the scheduler, run on threads, retried when a node is lost.

Floor: above `objects` and `scheduler`. `submit` is the caller's half, `executor` what every node serves.
"""
