"""Every effect on network, disk and clock, one noun a file: they implement the Protocols of `session.ports`.

Never decides anything: what an adapter cannot have now is None or a refusal, and the session decides what follows.
"""
