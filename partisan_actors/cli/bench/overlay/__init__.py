"""Many real nodes on one machine: what an overlay costs as it grows, behind `partisan bench overlay`.

`plan` says what to run, `host` is a process that plays many nodes, `crew` is the coordinator's hold on those processes,
`phases` is the benchmark itself, `graph` judges what the nodes say, `report` shows it.
"""
