"""`partisan bench features`: what each feature costs beside a plain call, between the same two processes.

Floor: cli. `command` is the face, `load` lets plain calls and each feature take turns, `report` makes the table.
"""
