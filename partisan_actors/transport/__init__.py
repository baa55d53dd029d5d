"""Connections between nodes: sockets, channels and lanes. Knows whom it is told to dial, never why.

Floor: above `protocols`, `wire` and `faults`. `connection` is one lane over any byte stream, `channels` what may be
configured of them, `tcp` and `memory` the two ways to get a byte stream, with the same face.
"""
