"""What users test their own actors and membership strategies with.

Floor: below `cli`, above everything else; it assumes of the package what any user of it may. `plugin` is loaded by
pytest itself, and imports the rest on first need.
"""
