"""The `partisan` command: every subcommand is a small module here that talks to a cluster through `api`.

Floor: the top one. Modules import click, and rich when there is a terminal; nothing below imports this folder.

`main` is the door: it finds the subcommand, and turns what goes wrong into one line and an exit code (`failure`).
`start` makes nodes (`plan` says which, `serving` runs them, `detached` does so in the background). The others are
observers (`asking`) of a cluster that runs already, and show what they hear as a `table` or as JSON.
"""
