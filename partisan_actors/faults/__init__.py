"""Faults as data: which messages suffer, which nodes, and when; the same for the simulator and for a live drill.

Floor: beside `protocols` and `wire`, pure. `operations` has the kinds of faults, `plan` puts them together and into
JSON, `selectors` names nodes before anybody knows them, `rules` judges messages by the operations in force, `shrink`
makes a failing plan small. Nothing here carries anything out: whoever has the network asks for verdicts and keeps them.
"""
