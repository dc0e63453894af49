"""Who is calling: token from header to verified identity.

Pure: keys and the time are arguments. Fetching keys is `adapters.keys`; deciding what an identity may do is `policy`.
"""
