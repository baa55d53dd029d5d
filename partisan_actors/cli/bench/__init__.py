"""What the product costs over bare uvloop and msgpack: the measurements behind `partisan bench` and `make bench`.

Floor: `cli`. Our side is measured through the public API only. Each row of the table (`rows`) is measured by a process
of its own (`child`, started by `coordinator`), because a row that hangs or crashes must not spoil the others. Within a
row, the floor and ours take turns (`turns`), so that both meet the same minute of the same machine.
"""
