"""Getting messages to one other node whole: what is done where a connection of the operating system cannot do it."""
