"""What users test their own actors and membership strategies with.

Floor: below `cli`, above everything else. `plugin` is loaded by pytest itself and imports the rest on first need; of the
floors below it assumes that a simulated cluster is repeatable from its seed.
"""
