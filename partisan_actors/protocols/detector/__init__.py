"""Failure detection: SWIM's probes and suspicions, with Lifeguard's local health, as a machine.

`swim` is the machine; `suspicion` says how long a suspect has, `awareness` how far this node trusts itself, and
`rumours` which of two statements about a peer counts, and which go with the next packet.
"""
