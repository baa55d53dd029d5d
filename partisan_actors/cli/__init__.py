"""The `partisan` command: every subcommand is a small module here that talks to a cluster through `api`.

Floor: the top one. Modules import click and rich; nothing below imports this folder.
"""
