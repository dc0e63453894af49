"""One object per HTTP exchange. Sans-IO: events in, actions out, everything else is an argument.

Knows exchange, policy and identity, and the outside only as the Protocols in `ports`. Imports no asyncio, reads no
clock, draws no randomness.
"""
