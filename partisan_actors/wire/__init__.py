"""Bytes: how frames, control messages, user payloads and the handshake look on a connection.

Floor: beside `protocols` and `faults`, pure like them. `frames` is the layout everything travels in, `codec` the
control plane (msgpack and validated dataclasses, never pickle), `payload` the values of users (pickle, only between
authenticated peers), `handshake` the conversation that authenticates them. `channels` and `addresses` are what may be
said about connections before there is one.
"""
