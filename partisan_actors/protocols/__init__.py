"""Pure algorithms: membership, broadcast, delivery and failure detection as machines that return effects.

Floor: above `telemetry`, beside `wire` and `faults`. Nothing here does I/O, reads a clock or draws from a global
random source. The folders inside do not import each other; `stack` wires them together by interface only.
"""
