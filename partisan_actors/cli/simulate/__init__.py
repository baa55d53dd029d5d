"""`partisan simulate`: clusters in virtual time, from the command line. Floor: `cli`.

One module a subcommand; `command` is the door. What is simulated, and how it is judged, is the business of
`partisan_actors.simulation`: here arguments become scenarios, and outcomes become text.
"""
