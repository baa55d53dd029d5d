"""Connections between nodes: sockets and lanes. Knows whom it is told to dial, never why.

Floor: above `protocols`, `wire` and `faults`. `connection` is one lane over any byte stream, `base` what a node needs
of a network, `tcp` and `memory` the two that there are, with the same face.
"""
