"""The processes of one gateway: workers, Envoy and (for a demo) the demo's servers; started, watched, drained, ended.

Never touches traffic: it is off the path, and its death ends its children.
"""
