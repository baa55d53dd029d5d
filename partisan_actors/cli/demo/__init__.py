"""A cluster on this machine that loses a node and gives the same answers: what `partisan demo` and `make demo` run.

Floor: `cli`. It uses the public face only, as a user's program would: `index` holds its actors, `corpus` their input,
`story` what happens to them, `report` what is shown of it.
"""
