"""Text that talks to the model instead of telling it something: found, scored, taken out.

Pure. Knows text alone.
"""
