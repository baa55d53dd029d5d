"""One process in the cluster: drives the protocol machines over a transport and finds a way to every other node.

Floor: above `transport`, below `actors`. `node` owns everything, `driver` is the only module where a machine meets a
socket, `router` knows how to reach a node (directly, or through the overlay), `directory` knows who is in the cluster,
`workers` starts and ends child processes and `worker` is what they run.
"""
