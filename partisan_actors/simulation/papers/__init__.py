"""The published experiments, run again on the machines that real nodes run, and judged.

Floor: `simulation`. One module an experiment; each says what it does and how it departs from the paper. `published`
holds what the papers printed, `oracles` what theory says without any paper, `bands` what counts as reproduced and why,
`judging` puts the three beside what was measured, `catalogue` lists the experiments and `running` runs them.
"""
