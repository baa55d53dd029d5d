"""Overlays: who is whose neighbour. One module a strategy, all behind `strategy.MembershipStrategy`."""
