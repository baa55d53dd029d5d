"""Clusters that run in virtual time: the real protocol machines over a simulated network, repeatable from a seed.

Floor: above `api`, beside `dashboard`. Nothing below imports it. `machines` runs thousands of bare `ProtocolStack`s
without asyncio; `cycles` runs more of them without any time, as the papers did whose experiments `papers` runs again;
`checkers` says whether what came out is right. Of the floors below it assumes that machines are pure: everything they
do depends on their inputs and on the `Random` they were given.
"""
