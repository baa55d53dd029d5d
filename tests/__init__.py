"""The tests: unit mirrors the package; properties, simulation, integration, typing and house rules stand beside it."""
