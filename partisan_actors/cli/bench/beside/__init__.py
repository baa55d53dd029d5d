"""`partisan bench large-small`: what small calls cost while large arguments saturate the same pair of nodes.

Floor: cli. `command` is the face, `load` makes and measures the load, `report` shows it beside published figures.
"""
