"""`partisan doctor`: what is wrong, or soon will be, with this machine and with each node of a cluster.

Of the floor `cli`. Facts come from `api.checkup` and `api.host_facts`; what they mean is decided here.
"""
