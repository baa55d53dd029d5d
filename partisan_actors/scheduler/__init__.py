"""Where things run: amounts of resources, labels, and the choice of a node for an actor or a task. There is no head.

Floor: above `actors`, beside `objects`. Of the floor below it assumes only that every node's record (what it has, what
of it is free, its labels, its load) reaches the others some time: a choice is made on what the choosing node knows, and
the chosen node admits or refuses. `resources`, `pool`, `room`, `labels`, `strategies`, `policy` are pure, and so are
the plan, the record and the protocol of placement groups.
"""
